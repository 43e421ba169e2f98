"""Link functions between a network's numbers and class scores, with their derivatives.

"identity" takes the numbers as they are, "softmax" and "sigmoid" make probabilities of logits, "exp" of
log-probabilities; "log_softmax", "log_sigmoid" and "log" make log-probabilities of logits and of probabilities. A
binary output has one number for two classes: logits -z and z, probabilities 1 - p and p.
"""

from collections.abc import Callable, Mapping

from ...arrays import Array, namespace, softmax

__all__ = ["columns", "link_gradient"]


def columns(link: str, a: Array, binary: bool, *, probability: bool) -> Array:
    """Class scores (N, K) of numbers (N, K, ...) with one position; (N, 2) of (N, 1) where binary.

    Args:
        link: the function.
        a: what a layer gives.
        binary: whether the one number is of two classes.
        probability: whether what comes out is a probability, so that the other class has the rest, not the negative.
    """
    xp = namespace(a)
    flat = xp.reshape(a, (a.shape[0], -1))
    p = _LINKS[link](flat)
    if not binary:
        return p
    if link in {"sigmoid", "log_sigmoid"}:
        return xp.concat([_LINKS[link](-flat), p], axis=1)
    if link == "log":
        return xp.concat([_log(1 - flat), p], axis=1)
    return xp.concat([1 - p if probability else -p, p], axis=1)


def link_gradient(link: str, a: Array, chosen: Array, binary: bool) -> Array:
    """The gradient, of the shape of `a`, of the sum of the chosen class scores.

    Args:
        link: the function.
        a: what a layer gives, (N, K, ...) with one position.
        chosen: (N, classes), 1 for each score that is added, else 0.
        binary: whether the one number is of two classes.
    """
    xp = namespace(a)
    flat = xp.reshape(a, (a.shape[0], -1))
    dy = chosen[:, 1:] - chosen[:, :1] if binary else chosen
    return xp.reshape(_DERIVATIVES[link](flat, dy), a.shape)


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), without overflow, with all digits near 0."""
    xp = namespace(z)
    e = xp.exp(-xp.abs(z))
    return xp.where(z >= 0, 1 / (1 + e), e / (1 + e))


def _softmax_derivative(z: Array, dy: Array) -> Array:
    """p_k (dy_k - sum_j p_j dy_j), for dy of one one in each row; 1 - p is summed, for it is 0 where p rounds to 1."""
    xp, p = namespace(z), softmax(z)
    one = xp.sum(p * dy, axis=1, keepdims=True)
    rest = xp.sum(p * (1 - dy), axis=1, keepdims=True)
    return p * (dy * rest - (1 - dy) * one)


def log_softmax(z: Array) -> Array:
    """z_k - log sum_j exp(z_j), without overflow."""
    xp = namespace(z)
    below = z - xp.max(z, axis=-1, keepdims=True)
    return below - xp.log(xp.sum(xp.exp(below), axis=-1, keepdims=True))


def _log_softmax_derivative(z: Array, dy: Array) -> Array:
    """dy_k - p_k, for dy of one one in each row; 1 - p is summed, as above."""
    xp, p = namespace(z), softmax(z)
    return dy * xp.sum(p * (1 - dy), axis=1, keepdims=True) - (1 - dy) * p


def log_sigmoid(z: Array) -> Array:
    """-log(1 + exp(-z)), without overflow."""
    xp = namespace(z)
    return xp.where(z < 0, z, xp.zeros_like(z)) - xp.log1p(xp.exp(-xp.abs(z)))


def _log(p: Array) -> Array:
    """log p; a probability of 0 is taken for the least of float32."""
    xp = namespace(p)
    return xp.log(xp.where(p > LEAST, p, xp.full_like(p, LEAST)))


def _log_derivative(p: Array, dy: Array) -> Array:
    """dy / p; dy below 0 means the other class of two, whose probability is 1 - p."""
    xp = namespace(p)
    own = xp.where(dy < 0, 1 - p, p)
    return dy / xp.where(own > LEAST, own, xp.full_like(p, LEAST))


LEAST = 2.0**-126
"""The least normal number above 0 in float32."""
_LINKS: Mapping[str, Callable[[Array], Array]] = {
    "identity": lambda z: z,
    "softmax": softmax,
    "sigmoid": sigmoid,
    "exp": lambda z: namespace(z).exp(z),
    "log_softmax": log_softmax,
    "log_sigmoid": log_sigmoid,
    "log": _log,
}
_DERIVATIVES: Mapping[str, Callable[[Array, Array], Array]] = {
    "identity": lambda z, dy: dy,
    "softmax": _softmax_derivative,
    "sigmoid": lambda z, dy: dy * sigmoid(z) * sigmoid(-z),
    "exp": lambda z, dy: dy * namespace(z).exp(z),
    "log_softmax": _log_softmax_derivative,
    "log_sigmoid": lambda z, dy: dy * sigmoid(-dy * z),
    "log": _log_derivative,
}
