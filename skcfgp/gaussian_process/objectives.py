"""Objectives of the hyper-parameters: marginal likelihood or leave-one-out predictions.

The logarithm of the marginal likelihood asks how probable the labels are. The leave-one-out
predictive log likelihood asks how well each label is predicted from all others, mean and standard
deviation (Rasmussen and Williams 2006, 5.4.2); it can be summed over some of the rows alone. Both
need one Cholesky factor and its inverse. Their derivatives by the matrix are one symmetric matrix
G, so a kernel needs only to contract it: d value / d theta = sum_ij G_ij dK_ij / d theta.
"""

import numpy as np
from scipy.linalg import blas, lapack
from scipy.spatial.distance import squareform


class Objective:
    """The value at theta, and its gradient, for the result of `covariance_of`.

    With `rows`, the leave-one-out predictions of these rows; otherwise the marginal likelihood.
    Several targets are independent and share the kernel: their values are added.
    """

    def __init__(self, covariance, y, noise, rows=None):
        self.covariance = covariance
        self.Y = np.asfortranarray(np.reshape(y, (len(y), -1)), dtype=float)
        self.noise = noise
        self.rows = rows

    def __call__(self, theta):
        """Return the value in nats, -inf if K is not positive definite, and its gradient."""
        factors = self._factorize(theta)
        if factors is None:
            return -np.inf, np.zeros(len(theta))
        B, L, dual = factors
        diagonal_of_L = np.diag(L).copy()
        lapack.dpotri(L, lower=1, overwrite_c=1)  # B now holds K^-1 in its upper triangle
        by_K = self._marginal if self.rows is None else self._leave_one_out
        value, G = by_K(B, dual, diagonal_of_L)
        gradient = self.covariance.gradient(2.0 * squareform(G, checks=False), np.diag(G))
        return value, gradient

    def value(self, theta):
        """Return the log marginal likelihood alone."""
        factors = self._factorize(theta)
        if factors is None:
            return -np.inf
        _, L, dual = factors
        return log_marginal_likelihood(self.Y, dual, np.diag(L))

    def _factorize(self, theta):
        """Return K, its Cholesky factor in the same memory, and K^-1 y."""
        pairs, diagonal = self.covariance(theta)
        n = len(self.Y)
        B = squareform(np.broadcast_to(pairs, n * (n - 1) // 2))
        B[np.diag_indices(n)] = diagonal + self.noise
        # LAPACK works in place, in the triangle that it calls the lower one.
        L, info = lapack.dpotrf(B.T, lower=1, clean=0, overwrite_a=1)
        return None if info else (B, L, lapack.dpotrs(L, self.Y, lower=1)[0])

    def _marginal(self, B, dual, diagonal_of_L):
        # Eq. 5.9: G = (dual dual' - K^-1) / 2, the triangle that squareform reads
        blas.dsyrk(0.5, dual, beta=-0.5 * dual.shape[1], c=B.T, lower=1, overwrite_c=1)
        return log_marginal_likelihood(self.Y, dual, diagonal_of_L), B

    def _leave_one_out(self, B, dual, diagonal_of_L):
        precision = np.diag(B).copy()
        inverse = squareform(squareform(B, checks=False))  # both triangles
        inverse[np.diag_indices(len(B))] = precision
        columns = inverse if len(self.rows) == len(B) else inverse[:, self.rows]
        precision = precision[self.rows, None]
        scaled = dual[self.rows] / precision  # label minus its prediction, Eq. 5.12
        value = 0.5 * np.sum(np.log(precision / (2 * np.pi)) - scaled**2 * precision)  # Eq. 5.10
        # Eq. 5.13, for each entry of K instead of each hyper-parameter
        by_precision = np.sum(0.5 / precision + 0.5 * scaled**2, axis=1)
        by_dual = columns @ scaled
        columns *= np.sqrt(by_precision)
        # one triangle is enough, in the memory of B
        G = blas.dsyrk(-1.0, columns.T, trans=1, lower=1, c=B.T, beta=0.0, overwrite_c=1)
        G = blas.dsyr2k(0.5, by_dual, dual, beta=1.0, c=G, lower=1, overwrite_c=1)
        return value, G.T


def log_marginal_likelihood(y, dual, diagonal_of_L):
    """Return the log marginal likelihood, in nats, summed over targets."""
    n_targets = y.shape[1] if y.ndim > 1 else 1
    half_log_det = np.log(diagonal_of_L).sum() + 0.5 * len(y) * np.log(2 * np.pi)
    return -0.5 * np.sum(y * dual) - n_targets * half_log_det  # Alg 2.1, page 19, line 7


def leave_one_out(factor, y, groups=()):
    """Predict each label from all others: mean, and standard deviation with noise.

    The rows of each of the `groups` are left out together.
    """
    # Sundararajan, Keerthi (2001); Eq. 5.12
    inverse, _ = lapack.dtrtri(factor.L, lower=1)
    variance = 1.0 / np.einsum("ij,ij->j", inverse, inverse)
    scale = variance if y.ndim == 1 else variance[:, None]
    whitened = factor.solve(y)
    mean = y - factor.solve_transposed(whitened) * scale
    for rows in groups:  # the same with the block of the rows in place of the diagonal
        Q, R = np.linalg.qr(inverse[:, rows])
        root = np.linalg.inv(R)
        mean[rows] = y[rows] - root @ (Q.T @ whitened)
        variance[rows] = np.einsum("ij,ij->i", root, root)
    return mean, np.sqrt(variance)
