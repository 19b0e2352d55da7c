"""The likelihood of the Laplacian kernel as a surface over a and l, and paths of optimisers on it.

Without noise one factorisation a length gives the whole surface: log p(y | a, l) = -q(l) / 2 a^2
- n log a - h(l), where q = y' R^-1 y and h = log det(R) / 2 + n log(2 pi) / 2. The likelihood of
the leave-one-out predictions, whose means do not depend on a, has the same form. Between the
lengths of a grid q and h are splines, so an optimiser's path costs nothing.
"""

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.linalg import lapack
from scipy.optimize import minimize
from scipy.spatial.distance import pdist, squareform

__all__ = ["LikelihoodMap", "adam_paths", "lbfgs_path"]

JITTER = 1e-10


class LikelihoodMap:
    """Two objectives over (log a, log l): marginal and predictive likelihood.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
    unseen : ndarray of int
        Rows whose leave-one-out predictions count.
    lengths : ndarray of shape (n_lengths,)
        Increasing.

    Attributes
    ----------
    lengths : ndarray of shape (n_lengths,)
    """

    def __init__(self, X, y, unseen, lengths):
        self.lengths, distances = np.asarray(lengths, dtype=float), pdist(X)
        terms = [_terms(distances, y, unseen, length) for length in self.lengths]
        q, h, q_out, h_out = np.array(terms).T
        log_l = np.log(self.lengths)
        # log q and log q_out are smoother than q itself, which spans decades.
        self._marginal = len(y), CubicSpline(log_l, np.log(q)), CubicSpline(log_l, h)
        self._left_out = len(unseen), CubicSpline(log_l, np.log(q_out)), CubicSpline(log_l, h_out)

    def __call__(self, objective, log_a, log_l):
        """Return the value and its gradient.

        Parameters
        ----------
        objective : {"marginal_likelihood", "leave_one_out"}
        log_a, log_l : float or ndarray

        Returns
        -------
        value : float or ndarray
            In nats.
        gradient : (by log a, by log l)
        """
        n, log_q, h = self._marginal if objective == "marginal_likelihood" else self._left_out
        # Beyond the grid the surface would be a guess of the spline.
        log_l = np.clip(log_l, np.log(self.lengths[0]), np.log(self.lengths[-1]))
        fit = 0.5 * np.exp(log_q(log_l) - 2 * log_a)
        value = -fit - n * log_a - h(log_l)
        return value, (2 * fit - n, -fit * log_q(log_l, 1) - h(log_l, 1))

    def best(self, objective):
        """Find the highest point.

        Parameters
        ----------
        objective : str

        Returns
        -------
        log_a, log_l, value : float
        """
        n, log_q, h = self._marginal if objective == "marginal_likelihood" else self._left_out
        log_l = np.linspace(np.log(self.lengths[0]), np.log(self.lengths[-1]), 20_001)
        log_a = 0.5 * (log_q(log_l) - np.log(n))
        value = -0.5 * n - n * log_a - h(log_l)
        top = int(np.argmax(value))
        return float(log_a[top]), float(log_l[top]), float(value[top])


def _terms(distances, y, unseen, length):
    R = squareform(np.exp(distances / -length))
    R[np.diag_indices_from(R)] = 1.0 + JITTER
    L, info = lapack.dpotrf(R, lower=1)
    if info:
        raise ValueError(f"the kernel matrix is not positive definite at a length of {length}.")
    dual = lapack.dpotrs(L, y, lower=1)[0]
    half = np.log(np.diag(L)).sum()
    n, m = len(y), len(unseen)
    inverse, _ = lapack.dpotri(L, lower=1)
    precision = np.diag(inverse)[unseen]
    # Rasmussen and Williams (2006), Eq. 5.12, with the amplitude taken out
    q_out = np.sum(dual[unseen] ** 2 / precision)
    h_out = -0.5 * np.log(precision).sum() + 0.5 * m * np.log(2 * np.pi)
    return y @ dual, half + 0.5 * n * np.log(2 * np.pi), q_out, h_out


def lbfgs_path(surface, objective, log_a, log_l):
    """Climb by L-BFGS, as scikit-learn does, and keep the iterates.

    Parameters
    ----------
    surface : LikelihoodMap
    objective : str
    log_a, log_l : float
        Start.

    Returns
    -------
    ndarray of shape (n_iterates, 2)
    """

    def negative(theta):
        value, gradient = surface(objective, *theta)
        return -float(value), -np.array(gradient, dtype=float)

    path = [np.array([log_a, log_l], dtype=float)]
    ends = [tuple(np.log([1e-5, 1e5])), tuple(np.log(surface.lengths[[0, -1]]))]
    minimize(
        negative,
        path[0],
        jac=True,
        method="L-BFGS-B",
        bounds=ends,
        callback=lambda theta: path.append(theta.copy()),
    )
    return np.array(path)


def adam_paths(surface, objective, starts, n_steps, rate=0.01):
    """Climb by Adam, the optimiser of the paper, from several starts, and keep the iterates.

    Parameters
    ----------
    surface : LikelihoodMap
    objective : str
    starts : array-like of shape (n_starts, 2)
        log a and log l.
    n_steps : int
    rate : float, default=0.01
        The learning rate of the paper's code.

    Returns
    -------
    ndarray of shape (n_steps + 1, n_starts, 2)

    References
    ----------
    .. [1] Kingma, Ba, "Adam: A Method for Stochastic Optimization" (2015), Algorithm 1.
       doi:10.48550/arXiv.1412.6980
    """
    theta = np.array(starts, dtype=float)
    path, first, second = [theta.copy()], np.zeros_like(theta), np.zeros_like(theta)
    low, high = np.log(surface.lengths[[0, -1]])
    for step in range(1, n_steps + 1):
        gradient = np.stack(surface(objective, *theta.T)[1], axis=1)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        scale = np.sqrt(second / (1 - 0.999**step)) + 1e-8
        theta = theta + rate * first / (1 - 0.9**step) / scale
        theta[:, 1] = np.clip(theta[:, 1], low, high)
        path.append(theta.copy())
    return np.array(path)
