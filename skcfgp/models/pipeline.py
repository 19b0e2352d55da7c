"""`CrystalPipeline`: a ``Pipeline`` whose predictions are NaN where a crystal cannot be used.

The process and its calibration refuse NaN, as scikit-learn's regressors do. So nothing but usable
rows goes through them; here the others are put back.
"""

import warnings

import numpy as np
from sklearn.pipeline import Pipeline

from ..structures import Failure, InvalidStructureError, InvalidStructureWarning
from .usable import apply_to_usable, filled, read_rows

__all__ = ["CrystalPipeline"]


class CrystalPipeline(Pipeline):
    """A pipeline from crystals to predictions that one bad crystal does not stop.

    Parameters
    ----------
    steps : list of (str, estimator)
        As in `sklearn.pipeline.Pipeline`. The steps raise an error that names the crystals that
        cannot be used, as those of `skcfgp.features` do with ``on_error="raise"``.
    on_error : {"raise", "nan"}, default="raise"
        Whether `predict` raises an error where crystals cannot be used, or returns NaN for these,
        with one `InvalidStructureWarning` that names them. `fit` raises an error in any case, since
        there are labels of all its crystals.
    transform_input : list of str, default=None
    memory : str or joblib.Memory, default=None
    verbose : bool, default=False
        As in `sklearn.pipeline.Pipeline`.

    See Also
    --------
    skcfgp.make_cfgp : Makes one.
    skcfgp.models.predict_crystals : A table, with the reasons beside the predictions.

    Examples
    --------
    >>> import warnings
    >>> from skcfgp import CompositionFeaturizer
    >>> from skcfgp.models import CrystalPipeline, DummyRegressor
    >>> steps = [("features", CompositionFeaturizer("mean")), ("mean", DummyRegressor())]
    >>> model = CrystalPipeline(steps, on_error="nan").fit(["NaCl", "KCl"], [-2.0, -3.0])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     mean, std = model.predict(["LiF", "Xx", "KBr"], return_std=True)
    >>> mean.tolist(), std.tolist()
    ([-2.5, nan, -2.5], [0.5, nan, 0.5])
    """

    def __init__(
        self, steps, *, on_error="raise", transform_input=None, memory=None, verbose=False
    ):
        self.on_error = on_error
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)

    def fit(self, X, y=None, **params):
        """Fit all steps; see `sklearn.pipeline.Pipeline.fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or DataFrame
            Crystals, see `skcfgp.structures.check_structures`.
        y : array-like of shape (n_samples,)
            Labels.
        **params : dict
            Parameters of the steps, such as ``gp__unseen``.

        Returns
        -------
        self : CrystalPipeline

        Raises
        ------
        InvalidStructureError
            If crystals cannot be used.
        ValueError
            If ``on_error`` is neither "raise" nor "nan".
        """
        if self.on_error not in ("raise", "nan"):
            raise ValueError(f"on_error must be 'raise' or 'nan', got {self.on_error!r}.")
        return super().fit(X, y, **params)

    def predict(self, X, **params):
        """Predict by the last step; see `sklearn.pipeline.Pipeline.predict`.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or DataFrame
            Crystals, see `skcfgp.structures.check_structures`.
        **params : dict
            Parameters of the last step, such as ``return_std``.

        Returns
        -------
        ndarray of shape (n_samples,), or a tuple of these
            With ``on_error="nan"``, NaN in the rows of crystals that cannot be used.

        Raises
        ------
        InvalidStructureError
            If crystals cannot be used and ``on_error="raise"``.
        """
        if self.on_error == "raise":
            return super().predict(X, **params)
        if params.get("return_cov"):
            raise ValueError("return_cov is not for on_error='nan': there is no row to leave out.")
        crystals, table = read_rows(X)
        method = super().predict
        rows, found, errors = apply_to_usable(lambda Z: method(Z, **params), crystals, table)
        if errors:
            failures = [Failure(row, crystals.ids[row], errors[row]) for row in sorted(errors)]
            message = f"{InvalidStructureError(failures)}\nTheir predictions are NaN."
            warnings.warn(message, InvalidStructureWarning, stacklevel=2)
        n = len(crystals.ids)
        if found is None:
            nothing = np.full(n, np.nan)
            return (nothing, nothing.copy()) if params.get("return_std") else nothing
        if isinstance(found, tuple):
            return tuple(filled(values, rows, n) for values in found)
        return filled(found, rows, n)
