"""The search for the hyper-parameters of any kernel, by marginal likelihood or leave-one-out.

L-BFGS-B, as in scikit-learn, on `skcfgp.gaussian_process.objectives.Objective`. It starts on every
fourth, eighth, ... row, where a step costs next to nothing, from the hyper-parameters given and
from the scale of the data, and goes on from the better optimum with twice the rows.
"""

import warnings

import numpy as np
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from .common import check_mask
from .covariance import covariance_of
from .objectives import Objective

__all__ = ["HyperparameterSearch"]

_FEW_ROWS = 500
_NOT_POSITIVE_DEFINITE = 1e25  # finite: a line search turns back from it
_NOTABLE = 3.0  # nats for a factor of e: "strong" evidence, Kass and Raftery (1995)


class HyperparameterSearch:
    """An optimizer for a scikit-learn regressor, callable as the parameter ``optimizer`` is.

    Parameters
    ----------
    regressor : sklearn.gaussian_process.GaussianProcessRegressor
        Whose ``fit`` calls the search: by then it holds the checked rows.
    objective : {"marginal_likelihood", "leave_one_out"}
    unseen : array-like of shape (n_samples,), bool, default=None
        Rows whose leave-one-out predictions count; None means all.
    optimizer : callable or "fmin_l_bfgs_b"
        A callable is given the objective and started once, on all rows.
    """

    #: Warnings of scikit-learn that `warn_at_bounds` replaces.
    superseded = (r"The optimal value .* bound",)

    def __init__(
        self,
        regressor,
        objective="marginal_likelihood",
        unseen=None,
        optimizer="fmin_l_bfgs_b",
    ):
        self.regressor = regressor
        self.objective = objective
        self.unseen = unseen
        self.optimizer = optimizer
        self._levels = []

    def __call__(self, obj_func, initial_theta, bounds):
        """Search from one start; the first time, from the scale of the data too.

        Parameters
        ----------
        obj_func : callable
            Not used: it is scikit-learn's marginal likelihood.
        initial_theta : ndarray of shape (n_dims,)
        bounds : ndarray of shape (n_dims, 2)

        Returns
        -------
        theta : ndarray of shape (n_dims,)
        value : float
            The negative objective.
        """
        starts = [initial_theta]
        if not self._levels:
            self._levels = list(self._make_levels())
            variance = float(np.mean(self._levels[0].Y ** 2)) or 1.0
            starts.append(self._levels[0].covariance.start(variance))
        if callable(self.optimizer):
            found = self.optimizer(_negative(self._levels[-1]), initial_theta, bounds)
        else:
            found = min((_descend(self._levels[0], s) for s in starts), key=lambda f: f[1])
            for level in self._levels[1:]:
                found = _descend(level, found[0])
        return found

    def warn_at_bounds(self, kernel):
        """Warn of each hyper-parameter that a bound keeps from a notably better value.

        Parameters
        ----------
        kernel : kernel instance
            The one that was found.
        """
        if not self._levels:
            return
        objective, theta = self._levels[-1], kernel.theta
        bounds = objective.covariance.bounds
        _, slope = objective(theta)
        for k, (name, value) in enumerate(_names(kernel)):
            low, high = np.isclose(theta[k], bounds[k], atol=1e-3)
            if (low and slope[k] < -_NOTABLE) or (high and slope[k] > _NOTABLE):
                side = "lower" if low else "upper"
                warnings.warn(
                    f"{name} ended at the {side} limit of its search, {value:.4g}; beyond it the "
                    "fit would be better. If that makes sense for these data, widen its bounds; if "
                    "not, scale the features or the target.",
                    ConvergenceWarning,
                    stacklevel=4,
                )

    def _make_levels(self):
        """Yield the objective on more and more rows, in the end on all."""
        X, y = self.regressor.X_train_, self.regressor.y_train_
        noise = np.broadcast_to(self.regressor.alpha, len(X))
        leave_one_out = self.objective == "leave_one_out"
        counts = np.full(len(X), leave_one_out)
        if self.unseen is not None:
            counts[:] = False
            counts[check_mask("unseen", self.unseen, len(X))] = True
        step = 1
        while len(X) > step * _FEW_ROWS and not callable(self.optimizer):
            step *= 2
        while step:
            kept = np.zeros(len(X), dtype=bool)
            for part in (np.flatnonzero(counts), np.flatnonzero(~counts)):
                kept[part[:: step if len(part) > _FEW_ROWS else 1]] = True
            rows = np.flatnonzero(counts[kept]) if leave_one_out else None
            covariance = covariance_of(self.regressor.kernel_, X[kept])
            yield Objective(covariance, y[kept], noise[kept], rows)
            step //= 2


def _names(kernel):
    """Name and value of each number in theta."""
    names = []
    for h in kernel.hyperparameters:
        if not h.fixed:
            several = [f"{h.name}[{i}]" for i in range(h.n_elements)]
            names += several if h.n_elements > 1 else [h.name]
    return zip(names, np.exp(kernel.theta), strict=True)


def _negative(objective):
    def negative(theta, eval_gradient=True):
        value, gradient = objective(theta)
        if not np.isfinite(value):
            value, gradient = -_NOT_POSITIVE_DEFINITE, np.zeros_like(theta)
        return (-value, -gradient) if eval_gradient else -value

    return negative


def _descend(objective, theta):
    bounds = objective.covariance.bounds
    start = np.clip(theta, *bounds.T)
    options = {"ftol": 1e-8, "gtol": 0.02, "maxiter": 200}
    found = minimize(
        _negative(objective), start, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    return found.x, float(found.fun)
