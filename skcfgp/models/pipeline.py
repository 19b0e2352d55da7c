"""`CrystalPipeline`: a ``Pipeline`` that gives NaN where a crystal cannot be used.

The process and its calibration refuse NaN, as scikit-learn's regressors do. So nothing but usable
rows goes through them; here the others are put back.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if

from ..calibration import TransformedDistribution, predict_distribution
from ..gaussian_process.common import last_step_input
from ..structures import Failure, InvalidStructureError, InvalidStructureWarning
from ..structures.typing import (
    ArrayLike,
    Crystals,
    Distribution,
    FloatArray,
    OnError,
    Predicted,
    Self,
)
from .usable import apply_to_usable, filled, read_rows


class CrystalPipeline(Pipeline):
    """A pipeline from crystals to predictions that one bad crystal does not stop.

    Parameters
    ----------
    steps : list of (str, estimator)
        As in `sklearn.pipeline.Pipeline`. The steps raise an error that names the crystals that
        cannot be used, as those of `skcfgp.features` do with ``on_error="raise"``.
    on_error : {"raise", "nan"}, default="raise"
        Whether `predict` and the other methods for new crystals raise an error where crystals
        cannot be used, or give NaN for these, with one `InvalidStructureWarning` that names them.
        `fit` raises an error in any case, since there are labels of all its crystals. So does a
        slice of the pipeline, such as ``model[:-1]``, unless its own `on_error` is set.
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
        self,
        steps: list[tuple[str, Any]],
        *,
        on_error: OnError = "raise",
        transform_input: list[str] | None = None,
        memory: Any = None,
        verbose: bool = False,
    ) -> None:
        self.on_error = on_error
        super().__init__(steps, transform_input=transform_input, memory=memory, verbose=verbose)

    def fit(self, X: Crystals, y: ArrayLike | None = None, **params: Any) -> Self:
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

    @overload
    def predict(
        self, X: Crystals, *, return_std: Literal[False] = False, **params: Any
    ) -> FloatArray: ...
    @overload
    def predict(
        self, X: Crystals, *, return_std: Literal[True], **params: Any
    ) -> tuple[FloatArray, FloatArray]: ...
    @overload
    def predict(self, X: Crystals, *, return_std: bool, **params: Any) -> Predicted: ...

    def predict(self, X: Crystals, **params: Any) -> Predicted:
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
        method = super().predict
        if self.on_error == "raise":
            return method(X, **params)
        if params.get("return_cov"):
            raise ValueError("return_cov is not for on_error='nan': there is no row to leave out.")
        found, put_back = self._of_usable(lambda Z: method(Z, **params), X)
        if found is None:
            found = (np.empty(0),) * 2 if params.get("return_std") else np.empty(0)
        return tuple(map(put_back, found)) if isinstance(found, tuple) else put_back(found)

    def predict_distribution(self, X: Crystals) -> Distribution:
        """Predict the distribution of each label; see `skcfgp.calibration.predict_distribution`.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or DataFrame
            Crystals, see `skcfgp.structures.check_structures`.

        Returns
        -------
        scipy.stats frozen distribution
            Distributions of shape (n_samples,). With ``on_error="nan"`` all that is asked of one is
            NaN (its mean, a probability, a quantile, a draw) where a crystal cannot be used.

        Raises
        ------
        InvalidStructureError
            If crystals cannot be used and ``on_error="raise"``.
        """
        plain = Pipeline(self.steps)
        if self.on_error == "raise":
            return predict_distribution(plain, X)
        found, put_back = self._of_usable(lambda Z: predict_distribution(plain, Z), X)
        return relocated(norm(loc=np.empty(0), scale=1.0) if found is None else found, put_back)

    def predict_interval(
        self, X: Crystals, coverage: float = 0.95
    ) -> tuple[FloatArray, FloatArray]:
        """Predict intervals that hold the labels with a given probability.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or DataFrame
            Crystals, see `skcfgp.structures.check_structures`.
        coverage : float, default=0.95
            Probability between 0 and 1.

        Returns
        -------
        lower, upper : ndarray of shape (n_samples,)
            In the unit of y. With ``on_error="nan"``, NaN for crystals that cannot be used.

        Raises
        ------
        InvalidStructureError
            If crystals cannot be used and ``on_error="raise"``.
        """
        last = self[-1]

        def method(Z):
            if hasattr(last, "predict_interval"):
                return last.predict_interval(last_step_input(self, Z), coverage)
            return predict_distribution(Pipeline(self.steps), Z).interval(coverage)

        if self.on_error == "raise":
            return method(X)
        ends, put_back = self._of_usable(method, X)
        return tuple(map(put_back, (np.empty(0),) * 2 if ends is None else ends))

    @available_if(lambda self: hasattr(super(), "transform"))
    def transform(self, X: Crystals, **params: Any) -> NDArray[Any]:
        """Transform by all steps; see `sklearn.pipeline.Pipeline.transform`.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or DataFrame
            Crystals, see `skcfgp.structures.check_structures`.
        **params : dict
            Parameters that the steps request.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            With ``on_error="nan"``, NaN in the rows of crystals that cannot be used.

        Raises
        ------
        InvalidStructureError
            If crystals cannot be used and ``on_error="raise"``.
        """
        method = super().transform
        if self.on_error == "raise":
            return method(X, **params)
        found, put_back = self._of_usable(lambda Z: method(Z, **params), X)
        return put_back(
            np.empty((0, len(self.get_feature_names_out()))) if found is None else found
        )

    def _of_usable(self, method, X):
        """Call a method with the crystals that it can use.

        Returns the result, or None if there is none, and a function that puts the values of these
        rows among NaN for the others.
        """
        crystals, table = read_rows(X)
        rows, found, errors = apply_to_usable(method, crystals, table)
        if errors:
            failures = [Failure(row, crystals.ids[row], errors[row]) for row in sorted(errors)]
            message = f"{InvalidStructureError(failures)}\nWhat is predicted of them is NaN."
            warnings.warn(message, InvalidStructureWarning, stacklevel=3)
        return found, lambda values: filled(values, rows, len(crystals.ids))


def relocated(distribution, put_back):
    """Return a distribution of more rows, whose location is NaN where `put_back` says so."""
    if isinstance(distribution, TransformedDistribution):
        inner = relocated(distribution.inner, put_back)
        return TransformedDistribution(
            inner, distribution.func, distribution.inverse_func, distribution.increasing
        )
    loc, scale = np.broadcast_arrays(*(distribution.kwds[name] for name in ("loc", "scale")))
    scale = put_back(scale)
    scale[np.isnan(scale)] = 1.0  # a draw needs a positive one, and is NaN by its location
    return distribution.dist(*distribution.args, loc=put_back(loc), scale=scale)
