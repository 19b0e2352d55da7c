"""What hyper-parameters can be chosen by: marginal likelihood or leave-one-out predictions.

The logarithm of the marginal likelihood asks how probable the labels are. The leave-one-out
predictive log likelihood asks how well each label is predicted from all others, mean and standard
deviation (Rasmussen and Williams 2006, 5.4.2); it can be summed over some of the rows alone. Both
need one Cholesky factor and its inverse. Their derivatives by the matrix are one symmetric matrix
G, so a kernel needs only to contract it: d value / d theta = sum_ij G_ij dK_ij / d theta.
"""

import numpy as np
from scipy.linalg import blas, lapack
from scipy.spatial.distance import squareform

__all__ = ["Objective", "leave_one_out"]


class Objective:
    """The value at theta, and its gradient.

    Parameters
    ----------
    covariance : object
        Of `skcfgp.gaussian_process.covariance.covariance_of`.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Targets are independent and share the kernel: their values are added up.
    noise : float or ndarray of shape (n_samples,)
        Known variance of each label, in the squared unit of y.
    rows : ndarray of int, default=None
        Those whose leave-one-out predictions count. None means the marginal likelihood.
    """

    def __init__(self, covariance, y, noise, rows=None):
        self.covariance = covariance
        self.Y = np.asfortranarray(np.reshape(y, (len(y), -1)), dtype=float)
        self.noise = noise
        self.rows = rows

    def __call__(self, theta):
        """Evaluate.

        Parameters
        ----------
        theta : ndarray of shape (n_dims,)

        Returns
        -------
        value : float
            In nats; -inf if the kernel matrix is not positive definite.
        gradient : ndarray of shape (n_dims,)
        """
        pairs, diagonal = self.covariance(theta)
        n = len(self.Y)
        B = squareform(np.broadcast_to(pairs, n * (n - 1) // 2))
        B[np.diag_indices(n)] = diagonal + self.noise
        # LAPACK works in place, in the triangle that it calls the lower one.
        L, info = lapack.dpotrf(B.T, lower=1, clean=0, overwrite_a=1)
        if info:
            return -np.inf, np.zeros(len(theta))
        dual = lapack.dpotrs(L, self.Y, lower=1)[0]
        half_log_det = np.log(np.diag(L)).sum()
        lapack.dpotri(L, lower=1, overwrite_c=1)  # B now holds K^-1 in its upper triangle
        by_K = self._marginal if self.rows is None else self._leave_one_out
        value, G = by_K(B, dual, half_log_det)
        gradient = self.covariance.gradient(2.0 * squareform(G, checks=False), np.diag(G))
        return float(value), gradient

    def _marginal(self, B, dual, half_log_det):
        n, p = dual.shape
        # Alg 2.1, page 19, line 7, summed over targets
        value = -0.5 * np.sum(self.Y * dual) - p * (half_log_det + 0.5 * n * np.log(2 * np.pi))
        # Eq. 5.9: G = (dual dual' - K^-1) / 2, the triangle that squareform reads
        blas.dsyrk(0.5, dual, beta=-0.5 * p, c=B.T, lower=1, overwrite_c=1)
        return value, B

    def _leave_one_out(self, B, dual, half_log_det):
        inverse = np.triu(B)
        inverse += np.triu(B, 1).T
        columns = inverse[:, self.rows]
        precision = np.diag(inverse)[self.rows, None]
        scaled = dual[self.rows] / precision  # label minus its prediction, Eq. 5.12
        value = 0.5 * np.sum(np.log(precision / (2 * np.pi)) - scaled**2 * precision)  # Eq. 5.10
        # Eq. 5.13, for each entry of K instead of each hyper-parameter
        by_precision = np.sum(0.5 / precision + 0.5 * scaled**2, axis=1)
        by_dual = columns @ scaled
        weighted = columns * np.sqrt(by_precision)
        G = blas.dsyrk(-1.0, weighted.T, trans=1, lower=1)  # one triangle is enough
        G = blas.dsyr2k(0.5, by_dual, dual, beta=1.0, c=G, lower=1, overwrite_c=1)
        return value, G.T


def leave_one_out(factor, y):
    """Predict each label from all others.

    Parameters
    ----------
    factor : GrowingCholesky
        Of the kernel matrix with noise.
    y : ndarray of shape (n_samples,) or (n_samples, n_targets)

    Returns
    -------
    mean : ndarray of the shape of `y`
    std : ndarray of shape (n_samples,)
        Of the label, noise included.
    """
    # Sundararajan, Keerthi (2001); Eq. 5.12
    variance = 1.0 / np.einsum("ij,ij->j", *[factor.solve(np.eye(factor.n))] * 2)
    scale = variance if y.ndim == 1 else variance[:, None]
    return y - factor.solve_both(y) * scale, np.sqrt(variance)
