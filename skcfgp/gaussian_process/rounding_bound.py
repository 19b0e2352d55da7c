r"""Bounds on posterior variances, worked out in single precision.

The posterior variance at x is k(x, x) - |v|^2 with L v = k(X_train, x) and L L' = K, the covariance
of the labels. In single precision it is about twice as fast, and wrong by a little. Here it is made
an upper bound:

1. A label with more noise tells less. So K + t I in place of K can only raise the variance,
   whatever t > 0, and no eigenvalue of it is below t.
2. What is computed for v solves a system that is close by: with u = 2^-24 and m roundings in the
   longest sum, (L + E) v' = k + e with |E| <= m u |L| and |e| <= u |k|, element by element
   (Higham 2002, Theorem 8.5). The rows of L have the squared lengths on the diagonal of K + t I, so
   \|v - v'\| <= c \|v'\| with c = (m + 3) u sqrt(trace(K + t I) / t), up to terms in c u.

So k(x, x) - (1 - c)^2 \|v'\|^2 is a bound. The first step costs about t, the second about 2 c, each
as a share of the prior variance; t is chosen to make the sum small. Sums are kept short by blocks,
which is why m is not the number of labels n: at n = 1,800 both are about 0.8 %.

The bound holds for the value that double precision gives as far as that is exact itself.
"""

import numpy as np
from scipy.linalg import blas, cholesky

from .chunking import in_chunks

__all__ = ["single_precision_bound"]

#: Rows of L that are solved for at a time; smaller blocks give smaller errors and are slower.
BLOCK = 256

#: Unit roundoff of single precision.
ROUNDOFF = 2.0**-24


def single_precision_bound(gp, X_pool):
    """Bound the posterior variance over a pool from above.

    Parameters
    ----------
    gp : GaussianProcessRegressor
        Fitted, with one target.
    X_pool : ndarray of shape (n_pool, n_features)

    Returns
    -------
    ndarray of shape (n_pool,)
        Bounds, in the scale of ``y_train_`` squared.

    References
    ----------
    .. [1] Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed. (SIAM 2002), Theorem
       8.5. doi:10.1137/1.9780898718027
    """
    kernel, X_train = gp.kernel_, gp.X_train_
    K = kernel(X_train)
    K[np.diag_indices_from(K)] += gp.noise_
    n, scale = len(K), np.trace(K) / len(K)
    longest = min(n, BLOCK) + n // BLOCK + 8  # with some to spare
    added = (longest * ROUNDOFF) ** (2 / 3) * n ** (1 / 3)
    # Scaled, so that no power of the unit of y leaves the range of single precision.
    K /= scale
    K[np.diag_indices_from(K)] += added
    L = cholesky(K, lower=True, overwrite_a=True, check_finite=False).astype(np.float32)
    # The last term is for the sum of the squares.
    error = longest * ROUNDOFF * np.sqrt(n * (1 + added) / added) + n * ROUNDOFF
    share = scale * max(0.0, 1.0 - error) ** 2

    def bound(rows):
        K_chunk = kernel(X_train, X_pool[rows])
        scaled = np.empty(K_chunk.shape, dtype=np.float32)
        V = _solve(L, np.divide(K_chunk, scale, out=scaled, casting="same_kind"))
        return kernel.diag(X_pool[rows]) - share * np.einsum("ij,ij->j", V, V)

    return np.concatenate(in_chunks(bound, len(X_pool), row_bytes=16 * n, n_jobs=gp.n_jobs))


def _solve(L, B):
    """Solve L X = B in place, where both are in C order; see the module for why by blocks."""
    work = np.empty_like(B[BLOCK:])
    for start in range(0, len(B), BLOCK):
        rows, later = slice(start, start + BLOCK), slice(start + BLOCK, None)
        corner = np.asfortranarray(L[rows, rows])
        # X' L' = B', since B' is in Fortran order.
        X = blas.strsm(1.0, corner, B[rows].T, side=1, lower=1, trans_a=1, overwrite_b=1).T
        B[rows] = X
        B[later] -= np.matmul(L[later, rows], X, out=work[: len(B[later])])
    return B
