"""What a campaign predicts: the same numbers as ``skcfgp predict`` with the same labels.

That is the last step of ``make_cfgp(calibrated=True)``, fitted to all labels, with features that
are standardised over the labelled crystals. What to label next is chosen by another process, whose
hyper-parameters stay for some labels, so that a plan can be made; see `skcfgp.campaign.engine`.
"""

import warnings
from functools import cached_property

import numpy as np

from ..structures.threads import one_blas_thread
from .model import make_model, searched_kernel


class Predictor:
    """The calibrated model after all labels.

    Parameters
    ----------
    features : ndarray of shape (n_crystals, n_features)
        Features of all crystals, not standardised.
    rows : list of int
        Rows with a label.
    y : ndarray of shape (n_labels,)
    settings : dict
    fits : dict
        Hyper-parameters that were found before; what is found now is added to it.
    y_std : ndarray of shape (n_labels,), default=None
        Standard errors of the labels.
    """

    def __init__(self, features, rows, y, settings, fits, y_std=None):
        self._rows, self._y, self._y_std = rows, y, y_std
        self._settings, self._fits = settings, fits
        self.X = features
        if settings["standardise"]:
            from sklearn.preprocessing import StandardScaler

            self.X = StandardScaler().fit(features[rows]).transform(features)

    @cached_property
    def learner(self):
        """An `ActiveLearner` of a fitted `skcfgp.CalibratedRegressor`."""
        from ..active_learning import ActiveLearner
        from ..calibration import FewScoresWarning

        settings, X = self._settings, self.X[self._rows]
        model = make_model(settings, calibrated=True)[-1]
        gp = model.estimator
        kernel = searched_kernel(gp, X, self._y, settings["recipe"], self._fits, self._y_std)
        model.set_params(estimator__kernel=kernel, estimator__optimizer=None)
        with warnings.catch_warnings():
            # At the beginning labels are few; the error bars are wide then, as the docs say.
            warnings.simplefilter("ignore", FewScoresWarning)
            return ActiveLearner(model).fit(X, self._y, y_std=self._y_std)

    @property
    def df(self):
        """Degrees of freedom of the Student-t distributions; None if they are Gaussian."""
        args = self.learner.estimator.score_distribution_.args
        return float(args[0]) if args else None

    @one_blas_thread()
    def predict(self, rows):
        """Predict mean and standard deviation of crystals, by row."""
        if not len(rows):
            return np.empty(0), np.empty(0)
        return self.learner.estimator.predict(self.X[rows], return_std=True)


def intervals(mean, std, df, coverage=0.95):
    """Return the ends of the central intervals of some coverage.

    Two standard deviations hold a label with the probability of two sigma, 95.45 %, whatever the
    distribution.
    """
    from scipy.stats import norm, t

    if not 0 < coverage < 1:
        raise ValueError(f"coverage must be between 0 and 1, got {coverage!r}.")
    unit = norm if df is None else t(df)
    width = 2 * np.asarray(std) * unit.ppf((1 + coverage) / 2) / unit.ppf(norm.cdf(2))
    return mean - width, mean + width
