"""The predictive distributions of a learner for a pool: location, scale, degrees of freedom."""

from copy import copy

import numpy as np
from sklearn.gaussian_process import GaussianProcessRegressor as SklearnGPR

from ..calibration import CalibratedRegressor
from ..gaussian_process import PoolPosterior, as_process
from .common import check_features, follow, innermost, last_step_of, target_scale_of, unwrap
from .design import count

#: Scales below this share of the largest, or of the largest distance from the best label, are
#: raised to it, so that z-scores exist.
SMALLEST = 1e-12


class Belief:
    """Predictive distribution of the label of each point of a pool, with `sign` times its location.

    Where a function of the label is learnt, such as a logarithm, it is that of the function; then
    `sign` is changed where the function decreases, so that the best label is the largest again.
    With a Gaussian process, calibrated or not, points that are assumed to be labelled change the
    distributions of the others; with other models they do not. The calibration multiplies the
    scale of each point by a factor, which stays the same.
    """

    def __init__(self, learner, X_pool, sign=1.0, X_pending=None):
        last, X = last_step_of(learner, X_pool)
        model, features = unwrap(last, X)
        self.learnt, increasing = target_scale_of(learner)
        self.sign = sign = sign if increasing else -sign
        self.posterior, self._supposed, self.df = None, -np.inf, None
        X_pending = X_pending if X_pending is not None and count(X_pending) else None
        if isinstance(model, SklearnGPR):
            self._follow(learner, as_process(model), features, X_pending)
            labels = self.posterior.gp.targets_
        elif X_pending is not None:
            raise TypeError(
                "X_pending needs a Gaussian process, whose variances do not depend on the labels; "
                f"got {type(model).__name__}."
            )
        else:
            members = getattr(learner, "learner_list", [learner])
            labels = np.concatenate([np.asarray(one.y_training, dtype=float) for one in members])
            labels = self.learnt(labels)
            self._mean, self._std = map(np.asarray, last.predict(X, return_std=True))
            self._at_first = self._std
        self._best = float(np.max(sign * labels))
        self._factor = 1.0
        if isinstance(last, CalibratedRegressor):
            self._calibrate(last, X)

    def _follow(self, learner, gp, features, X_pending):
        pool = check_features(gp, features)
        if X_pending is None:
            self.posterior = copy(follow(learner, PoolPosterior, gp, pool))
            self.left = self.posterior.left
            self._at_first = self.raw_std
            return
        pending = check_features(gp, innermost(learner, X_pending)[1])
        self.posterior = PoolPosterior(gp, np.vstack([pool, pending]))
        self.left = np.arange(len(pool))
        self._at_first = self.raw_std
        for row in range(len(pool), len(pool) + len(pending)):
            self._suppose(row)

    def _calibrate(self, last, X):
        """Take over scale and degrees of freedom of the calibrated distribution."""
        frozen, std = last.predict_distribution(X), self._at_first
        if frozen.dist.name in ("t", "norm"):
            scale = frozen.kwds["scale"]
        else:
            scale = last.predict(X, return_std=True)[1]
        if frozen.dist.name == "t":
            self.df = np.broadcast_to(frozen.args[0], len(std))
        self._factor = np.where(std > 0, scale / np.where(std > 0, std, 1.0), 1.0)

    @property
    def mean(self):
        """Location of each label times the sign, in the unit that is learnt."""
        return self.sign * (
            self._mean if self.posterior is None else self.posterior.mean[self.left]
        )

    @property
    def raw_std(self):
        """Standard deviation before the calibration."""
        return self._std if self.posterior is None else self.posterior.std[self.left]

    @property
    def std(self):
        """Scale of each label, > 0, in the unit that is learnt."""
        std = self.raw_std * self._factor
        largest = max(std.max(), np.abs(self.mean - self.best).max())
        return np.maximum(std, SMALLEST * (largest or 1.0))

    @property
    def best(self):
        """Best label times the sign, those that are supposed included."""
        return max(self._best, self._supposed)

    def suppose(self, position):
        """Suppose that a point of the pool has its mean as a label."""
        if self.posterior is not None:
            self._suppose(self.left[position])

    def _suppose(self, row):
        self._supposed = max(self._supposed, self.sign * float(self.posterior.mean[row]))
        self.posterior.condition_on(row)

    def covariance(self, positions):
        """Covariance of the labels of some points, in the unit that is learnt, squared."""
        rows = self.left[positions]
        covariance = self.posterior.covariance(rows, rows)
        covariance[np.diag_indices_from(covariance)] = self.posterior.std[rows] ** 2
        factor = np.broadcast_to(self._factor, len(self.left))[positions]
        return covariance * np.outer(factor, factor)
