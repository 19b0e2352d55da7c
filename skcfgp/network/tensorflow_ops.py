"""The operations of `forward` in TensorFlow, by which a network is trained."""

import math

import tensorflow as tf
from tensorflow import (
    concat,
    exp,
    gather,
    maximum,
    minimum,
    ones_like,
    repeat,
    split,
    square,
    tanh,
    zeros,
)

from .graphs import GraphBatch

__all__ = [
    "as_tensors",
    "batch_spec",
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

LOG_2 = math.log(2.0)


def as_tensors(batch):
    """Turn the arrays of a `GraphBatch` into tensors."""
    return GraphBatch(*map(tf.convert_to_tensor, batch))


def batch_spec():
    """Build the signature of a `GraphBatch` of tensors of any size."""
    integers, floats = tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None,), tf.float32)
    return GraphBatch(
        atomic_numbers=integers,
        distances=floats,
        first=integers,
        second=integers,
        site_graph=integers,
        edge_graph=integers,
        n_graphs=tf.TensorSpec((), tf.int32),
        site_count=floats,
        edge_count=floats,
    )


def length(x):
    """Return the number of rows."""
    return tf.shape(x)[0]


def sum_columns(x):
    """Sum each row."""
    return tf.reduce_sum(x, axis=-1)


def linear(x, kernel, bias=None):
    """Multiply by a kernel and add a bias."""
    product = tf.matmul(x, kernel)
    return product if bias is None else product + bias


@tf.custom_gradient
def softplus2(x):
    """log((exp(x) + 1) / 2), which is zero at zero.

    ``tf.nn.softplus`` would need two thirds of the time of a pass. Where exp would overflow, the
    linear asymptote is exact.
    """
    line = x - LOG_2
    value = tf.maximum(tf.math.log(tf.exp(tf.minimum(line, 80.0)) + 0.5), line)
    return value, lambda upstream: upstream * tf.sigmoid(x)


def weighted_sum(counts, segments, n_segments):
    """Return a function that sums rows times their counts by segment, which are sorted."""

    def summed(x):
        total = tf.math.segment_sum(counts[:, None] * x, segments)
        missing = n_segments - tf.shape(total)[0]  # of segments after the last one that has rows
        return tf.pad(total, [[0, missing], [0, 0]])

    return summed


def segment_max(x, segments):
    """Return the largest value of each segment, as a constant in a gradient."""
    return tf.stop_gradient(tf.math.segment_max(x, segments))
