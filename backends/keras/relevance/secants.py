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
    """dx = L (dy - sum dy L / sum L), with L the logarithmic mean of the outputs y and y': (y - y') / (ln y - ln y').

    Outputs add up to 1, so ln S - ln S' = sum L (x - x') / sum L, and the gradients times x - x' add up to the change
    of the outputs exactly. No number in it is larger than those of dy, however far x and x' lie apart.
    """
    (x,), (dy,) = operation.inputs, cotangents
    mean, share = _logarithmic_mean(x)
    return [(x, mean * (dy - tf.reduce_sum(dy * share, -1, keepdims=True)))]


def log_softmax(operation: Any, cotangents: Sequence[Any]) -> Flows:
    """y = x - log S: with L as in softmax, dx = dy - L sum dy / sum L."""
    (x,), (dy,) = operation.inputs, cotangents
    _, share = _logarithmic_mean(x)
    return [(x, dy - tf.reduce_sum(dy, -1, keepdims=True) * share)]


def _logarithmic_mean(x: Any) -> tuple[Any, Any]:
    """L for both halves, and L / sum L; the mean of y and y' where they are close, whose error is a twelfth of d^2."""
    first, second = halves(x)
    y, other = tf.nn.softmax(first), tf.nn.softmax(second)
    p, q = tf.nn.log_softmax(first), tf.nn.log_softmax(second)
    apart = tf.logical_and(tf.math.is_finite(p - q), tf.logical_not(are_close(p, q)))  # -inf at both: y is 0
    mean = both(tf.where(apart, quotient(y - other, p - q, tf.logical_not(apart)), (y + other) / 2))
    return mean, mean / tf.reduce_sum(mean, -1, keepdims=True)


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
