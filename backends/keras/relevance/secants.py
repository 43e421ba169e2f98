"""Operations of several numbers whose gradients times x - x' add up to the difference of their outputs.

For the batch [images; references], primes for references. A product is exact with the mean of the two other factors,
a b - a' b' = (a - a') mean(b) + mean(a) (b - b'); all others are composed of products and functions of one number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from .functions import NEAR
from .graph_facts import copied
from .local_response import response_parts, window_sum
from .pairs import both, halves, mean_of_both, quotient
from .sweep import Flows, operation_gradients

__all__ = ["SECANTS", "TWO_FACTORS"]


def product(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """Mul, MatMul, Einsum of two inputs that vary: to each, with the mean of the other."""
    a, b = operation.inputs
    to_a = operation_gradients(copied(operation, [a, mean_of_both(b)]), cotangents)[0]
    to_b = operation_gradients(copied(operation, [mean_of_both(a), b]), cotangents)[1]
    return [(a, to_a), (b, to_b)]


def division(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """a / b = a (1 / b), and 1 / b has the secant -1 / (b b')."""
    a, b = operation.inputs
    first, second = halves(b)
    inverse = both((1 / first + 1 / second) / 2)
    to_a = operation_gradients(copied(operation, [a, 1 / inverse]), cotangents)[0]
    at_b = copied(operation, [mean_of_both(a), both(tf.ones_like(first))])
    to_inverse = operation_gradients(copied(at_b, at_b.inputs), cotangents)
    # d(a / b) / db at b = 1 is -a, summed over the axes along which b is repeated: minus the gradient at 1 / b
    return [(a, to_a), (b, to_inverse[1] * both(1 / (first * second)))]


def squared_difference(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """(a - b)^2 has the secant (a - b) + (a' - b'), that is twice the mean."""
    a, b = operation.inputs
    return zip(
        (a, b), operation_gradients(copied(operation, [mean_of_both(a), mean_of_both(b)]), cotangents), strict=True
    )


def softmax(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """E = exp(x - m), S = sum E, y = E / S, m being the maximum of image and reference."""
    (x,), (dy,) = operation.inputs, cotangents
    e, slope, s = _exponentials(x)
    first, second = halves(s)
    at_inverse = tf.reduce_sum(dy * mean_of_both(e), -1, keepdims=True)
    at_sum = -at_inverse * both(1 / (first * second))
    return [(x, (dy * mean_of_both(1 / s) + at_sum) * slope)]


def log_softmax(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """y = x - m - log S, with E and S as in softmax."""
    (x,), (dy,) = operation.inputs, cotangents
    _, slope, s = _exponentials(x)
    first, second = halves(s)
    near = tf.abs(first - second) < NEAR
    log = tf.where(both(near), 1 / s, both(quotient(tf.math.log(first) - tf.math.log(second), first - second, near)))
    return [(x, dy - tf.reduce_sum(dy, -1, keepdims=True) * log * slope)]


def _exponentials(x: Any) -> tuple[Any, Any, Any]:
    """E, the secant of exp, and S."""
    first, second = halves(x)
    most = tf.maximum(tf.reduce_max(first, -1, keepdims=True), tf.reduce_max(second, -1, keepdims=True))
    e, other = tf.exp(first - most), tf.exp(second - most)
    near = tf.abs(first - second) < NEAR
    values = tf.concat([e, other], axis=0)
    slope = tf.where(both(near), values, both(quotient(e - other, first - second, near)))
    return values, slope, tf.reduce_sum(values, -1, keepdims=True)


def maximum(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """MaxPool, the largest number along axes, the larger of two tensors.

    What y gains over y' goes to where the image has its maximum, what it loses to where the reference has it.
    """
    (dy,) = cotangents
    y, other = halves(operation.outputs[0])
    change = y - other
    gained, lost = dy * both(tf.maximum(change, 0)), dy * both(tf.minimum(change, 0))
    varying = [tensor if _is_paired(tensor) else None for tensor in operation.inputs]
    pairs = [None if tensor is None else halves(tensor) for tensor in varying]
    parts = []
    for which, seed in enumerate((gained, lost)):
        inputs = [t if p is None else both(p[which]) for t, p in zip(operation.inputs, pairs, strict=True)]
        parts.append(operation_gradients(copied(operation, inputs), [seed]))
    for tensor, pair, up, down in zip(varying, pairs, *parts, strict=True):
        if pair is not None and up is not None:
            difference = both(pair[0] - pair[1])
            yield tensor, tf.math.divide_no_nan(up + down, difference)


def _is_paired(tensor: Any) -> bool:
    return bool(tensor.dtype.is_floating and tensor.shape.rank and tensor.shape[0] is None)


def local_response(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """y = x u, u = P^-beta, P = bias + alpha sum of squares of the neighbouring channels."""
    (x,), (dy,) = operation.inputs, cotangents
    base, exponent, alpha = response_parts(operation)
    u = base**exponent
    (p, q), (first, second) = halves(base), halves(u)
    near = tf.abs(p - q) < NEAR
    slope = tf.where(both(near), exponent * u / base, both(quotient(first - second, p - q, near)))
    at_base = window_sum(operation, dy * mean_of_both(x) * slope)
    return [(x, dy * mean_of_both(u) + 2 * alpha * mean_of_both(x) * at_base)]


TWO_FACTORS: dict[str, Callable[[Any, Sequence[Any]], Flows]] = {
    **dict.fromkeys(("Mul", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"), product),
    "RealDiv": division,
    "DivNoNan": division,
    "SquaredDifference": squared_difference,
    "Maximum": maximum,
    "Minimum": maximum,
}
"""By operation, where two inputs vary."""
SECANTS: dict[str, Callable[[Any, Sequence[Any]], Flows]] = {
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
    "MaxPool": maximum,
    "MaxPool3D": maximum,
    "Max": maximum,
    "Min": maximum,
    "LRN": local_response,
    "SquaredDifference": squared_difference,
}
"""By operation, where one input varies."""
