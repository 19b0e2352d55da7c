"""A Cholesky factor to which rows can be appended."""

import numpy as np
from scipy.linalg import LinAlgError, cholesky, lapack


class GrowingCholesky:
    """Lower factor L of K = L L', kept in storage that is larger than it.

    Appending a row costs O(n^2) and, most of the time, copies nothing: the storage doubles when it
    is full. ``blocks`` holds how many rows came at a time, on which the last digits depend.
    """

    def __init__(self, L):
        self.n, self.blocks = len(L), [len(L)]
        self._storage = np.asfortranarray(L, dtype=float)

    @classmethod
    def factorize(cls, K):
        """Factorize a positive definite matrix, which is overwritten."""
        return cls(cholesky(K.T, lower=True, overwrite_a=True, check_finite=False))

    @property
    def L(self):
        """The factor, of shape (n, n): a view."""
        return self._storage[: self.n, : self.n]

    def solve(self, B, overwrite=False):
        """Solve L X = B for as many leading rows of L as `B` has, possibly in the memory of `B`."""
        return self._triangular_solve(B, False, overwrite)

    def solve_transposed(self, B, overwrite=False):
        """Solve L' X = B; see `solve`."""
        return self._triangular_solve(B, True, overwrite)

    def solve_both(self, B):
        """Solve L L' X = B."""
        return self.solve_transposed(self.solve(B), overwrite=True)

    def append(self, K_old, K_new):
        """Add m rows and columns to K: `K_old` of shape (n, m) and `K_new` of shape (m, m).

        LinAlgError if the larger matrix is not positive definite; the factor is then unchanged.
        """
        W = self.solve(K_old)
        corner = cholesky(K_new - W.T @ W, lower=True, check_finite=False)
        n, m = W.shape
        if n + m > len(self._storage):
            larger = np.zeros((max(n + m, 2 * n),) * 2, order="F")
            larger[:n, :n] = self.L
            self._storage = larger
        self._storage[n : n + m, :n] = W.T
        self._storage[:n, n : n + m] = 0.0
        self._storage[n : n + m, n : n + m] = corner
        self.n = n + m
        self.blocks.append(m)

    def _triangular_solve(self, B, transposed, overwrite):
        columns = B[:, None] if B.ndim == 1 else B
        # LAPACK is told the leading dimension of the storage, so the view is never copied.
        X, info = lapack.dtrtrs(
            self._storage[:, : len(B)],
            np.asfortranarray(columns, dtype=float),
            lower=1,
            trans=int(transposed),
            overwrite_b=int(overwrite),
        )
        if info:
            raise LinAlgError(f"the factor is singular at row {info - 1}.")
        return X.reshape(B.shape, order="F") if B.ndim == 1 else X

    def __getstate__(self):
        return {
            "n": self.n,
            "blocks": list(self.blocks),
            "_storage": self.L.copy(order="F"),
        }


def factor_again(kernel, X, noise, blocks):
    """Return the factor of a process that learnt its rows in these blocks, to the last bit."""
    factor, start = None, 0
    for end in np.cumsum(blocks):
        K = kernel(X[start:end])
        K[np.diag_indices_from(K)] += noise[start:end]
        if factor is None:
            factor = GrowingCholesky.factorize(K)
        else:
            factor.append(kernel(X[:start], X[start:end]), K)
        start = end
    return factor
