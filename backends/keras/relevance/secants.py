"""Operations of several numbers whose gradients times x - x' add up to the difference of their outputs.

For the batch [images; references], primes for references. A product is exact with the mean of the two other factors,
a b - a' b' = (a - a') mean(b) + mean(a) (b - b'); all others are composed of products and functions of one number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from .functions import NEAR, are_close
from .graph_facts import copied
from .local_response import response_parts, window_sum
from .pairs import both, halves, is_paired, mean_of_both, quotient
from .sweep import Flows, operation_gradients

__all__ = ["SECANTS", "TWO_FACTORS"]

_MOST = 80.0
"""S / S' stays below exp of it, which float32 still holds."""
_SAME = 1e-4
"""|log r| below which log r / (r - 1) is 1 - log r / 2, to the precision of float32."""


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
    # at b = 1 the derivative of a / b by b is -a, summed where b is broadcast: minus the gradient at 1 / b
    minus_to_inverse = operation_gradients(copied(operation, [mean_of_both(a), tf.ones_like(b)]), cotangents)[1]
    return [(a, to_a), (b, minus_to_inverse * both(1 / (first * second)))]


def squared_difference(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """(a - b)^2 has the secant (a - b) + (a' - b'), that is twice the mean."""
    a, b = operation.inputs
    return zip(
        (a, b), operation_gradients(copied(operation, [mean_of_both(a), mean_of_both(b)]), cotangents), strict=True
    )


def softmax(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """E = exp(x), S = sum E, y = E / S: composed of the secant of exp, a sum, the secant of 1 / S and a product.

    With p and p' the two outputs, P = sum dy p, P' = sum dy p' and r = S / S' that is, multiplied out,

        dx = ((p - p' / r) (dy - P') + (p r - p') (dy - P)) / (2 (x - x')),

    and where x is close to x', of the mean of both exponentials, with (p + p' / r) / 2 and (p r + p') / 2 for the two
    quotients. No number in it grows with x, as S does.
    """
    (x,), (dy,) = operation.inputs, cotangents
    p, other, distance, near = _shares(x)
    first, second = (tf.reduce_sum(dy * both(each), -1, keepdims=True) for each in (p, other))
    r = tf.exp(distance)
    slope = both(tf.where(near, (p + other / r) / 2, quotient(p - other / r, _difference(x), near))) * (dy - second)
    slope += both(tf.where(near, (p * r + other) / 2, quotient(p * r - other, _difference(x), near))) * (dy - first)
    return [(x, slope / 2)]


def log_softmax(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """y = x - log S: with r, p and p' as in softmax, dx = dy - sum dy (p r - p') / (x - x') log r / (r - 1)."""
    (x,), (dy,) = operation.inputs, cotangents
    p, other, distance, near = _shares(x)
    r = tf.exp(distance)
    same = tf.abs(distance) < _SAME
    log = tf.where(same, 1 - distance / 2, quotient(distance, tf.math.expm1(distance), same))
    slope = tf.where(near, (p * r + other) / 2, quotient(p * r - other, _difference(x), near)) * log
    return [(x, dy - tf.reduce_sum(dy, -1, keepdims=True) * both(slope))]


def _difference(x: Any) -> Any:
    """x - x'."""
    first, second = halves(x)
    return first - second


def _shares(x: Any) -> tuple[Any, Any, Any, Any]:
    """p, p', log S - log S', and where x is close to x'."""
    first, second = halves(x)
    sums = (tf.reduce_logsumexp(each, -1, keepdims=True) for each in (first, second))
    distance = tf.clip_by_value(tf.subtract(*sums), -_MOST, _MOST)
    return tf.nn.softmax(first), tf.nn.softmax(second), distance, are_close(first, second)


def maximum(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """MaxPool, the largest number along axes, the larger of two tensors.

    What y gains over y' goes to where the image has its maximum, what it loses to where the reference has it.
    """
    (dy,) = cotangents
    y, other = halves(operation.outputs[0])
    change = y - other
    gained, lost = dy * both(tf.maximum(change, 0)), dy * both(tf.minimum(change, 0))
    varying = [tensor if tensor.dtype.is_floating and is_paired(tensor) else None for tensor in operation.inputs]
    pairs = [None if tensor is None else halves(tensor) for tensor in varying]
    parts = []
    for which, seed in enumerate((gained, lost)):
        inputs = [t if p is None else both(p[which]) for t, p in zip(operation.inputs, pairs, strict=True)]
        parts.append(operation_gradients(copied(operation, inputs), [seed]))
    for tensor, pair, up, down in zip(varying, pairs, *parts, strict=True):
        if pair is not None and up is not None:
            difference = both(pair[0] - pair[1])
            yield tensor, tf.math.divide_no_nan(up + down, difference)


def local_response(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """y = x u, u = P^-beta, P = bias + alpha sum of squares of the neighbouring channels."""
    (x,), (dy,) = operation.inputs, cotangents
    base, exponent, alpha = response_parts(operation)
    u = base**exponent
    (p, q), (first, second) = halves(base), halves(u)
    near = tf.abs(p - q) <= NEAR
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
