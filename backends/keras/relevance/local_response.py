"""Local response normalisation: y = x P^-beta, P = bias + alpha sum of squares of the neighbouring channels."""

from typing import Any

import tensorflow as tf

__all__ = ["response_parts", "window_sum"]


def response_parts(operation: Any) -> tuple[Any, float, float]:
    """P, -beta and alpha of an LRN operation."""
    alpha, beta, bias = (operation.get_attr(name) for name in ("alpha", "beta", "bias"))
    (x,) = operation.inputs
    return bias + alpha * window_sum(operation, x * x), -beta, alpha


def window_sum(operation: Any, values: Any) -> Any:
    """The sum over the channels from c - radius to c + radius, at each channel c; it is its own adjoint."""
    radius = operation.get_attr("depth_radius")
    padded = tf.pad(values, [[0, 0]] * (values.shape.rank - 1) + [[radius, radius]])
    count = values.shape[-1]
    return tf.add_n([padded[..., place : place + count] for place in range(2 * radius + 1)])
