"""The operations of `forward` in NumPy, by which crystals are predicted.

The vector of a crystal is the same to the last bit in each batch: a sum runs over the rows of one
crystal in their order, and a matrix product is made of blocks of one shape, so that BLAS computes
each row in the same way. The activation and the sums work in place where that is safe, since the
time of a pass is that of reading and writing memory.
"""

import math

import numpy as np
from numpy import concatenate as concat
from numpy import exp, maximum, minimum, ones_like, repeat, split, square, tanh
from scipy.sparse import csr_array

__all__ = [
    "concat",
    "exp",
    "gather",
    "length",
    "linear",
    "maximum",
    "minimum",
    "ones_like",
    "repeat",
    "segment_max",
    "softplus2",
    "split",
    "square",
    "sum_columns",
    "tanh",
    "weighted_sum",
    "zeros",
]

#: Rows of a block of a matrix product; a multiple of those that any BLAS computes at a time.
BLOCK = 128

length = len


def zeros(shape):
    """Return zeros in single precision."""
    return np.zeros(shape, dtype=np.float32)


def gather(x, rows):
    """Take rows of x."""
    return x.take(rows, axis=0)


def sum_columns(x):
    """Sum each row."""
    return x.sum(axis=-1)


def linear(x, kernel, bias=None):
    """Multiply by a kernel, in blocks of rows, and add a bias."""
    n_rows = len(x)
    product = np.empty((n_rows, kernel.shape[1]), dtype=np.float32)
    rest = n_rows % BLOCK
    for start in range(0, n_rows - rest, BLOCK):
        rows = slice(start, start + BLOCK)
        np.matmul(x[rows], kernel, out=product[rows])
    if rest:
        block = zeros((BLOCK, x.shape[1]))
        block[:rest] = x[-rest:]
        product[-rest:] = (block @ kernel)[:rest]
    if bias is not None:
        product += bias
    return product


def softplus2(x):
    """log((exp(x) + 1) / 2), which is zero at zero; overwrites x.

    Where exp would overflow, the linear asymptote is exact.
    """
    x -= np.float32(math.log(2.0))
    value = np.minimum(x, np.float32(80.0))
    np.exp(value, out=value)
    value += np.float32(0.5)
    np.log(value, out=value)
    return np.maximum(value, x, out=value)


def weighted_sum(counts, segments, n_segments):
    """Return a function that sums rows times their counts by segment, which are sorted."""
    bounds = np.searchsorted(segments, np.arange(n_segments + 1)).astype(np.int32)
    columns = np.arange(len(segments), dtype=np.int32)
    return csr_array((counts, columns, bounds), shape=(n_segments, len(segments))).__matmul__


def segment_max(x, segments):
    """Return the largest value of each segment; none is empty."""
    return np.maximum.reduceat(x, np.flatnonzero(np.diff(segments, prepend=-1)))
