"""Exact projections onto a norm's ball and a box together, and the point of both that lies furthest along a direction.

A change d is allowed where |d| <= eps and a <= d <= b, with a <= 0 <= b the room that each number has in the image's
bounds. Projecting onto one and then the other is not the projection onto both (Croce and Hein, 2021, for L1): it gives
away room. All is computed in float64, for each image of a batch.
"""

from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, namespace

__all__ = ["NORMS", "distance_of", "furthest", "norm_of", "project", "shortest"]

NORMS = ("linf", "l2", "l1")
"""The norms whose balls are projected onto."""
_HALVINGS = 60
"""Of the interval in which the multiplier of the L1 ball lies: to the last bit of float64."""
_ROUNDS = 100
"""More than the rounds in which numbers reach their bounds; each round fixes one at least, in practice most of them."""


def norm_of(d: Array, norm: str) -> np.ndarray[Any, Any]:
    """The norms of changes (N, ...), float64 (N,): "linf", "l2", "l1", or "l0", the number of pixels that change."""
    xp = namespace(d)
    if norm == "l0":
        changed = xp.any(d != 0, axis=1) if d.ndim > 2 else d != 0
        return as_numpy(xp.sum(xp.astype(xp.reshape(changed, (d.shape[0], -1)), xp.float64), axis=1))
    flat = xp.abs(xp.reshape(xp.astype(d, xp.float64), (d.shape[0], -1)))
    if norm == "linf":
        return as_numpy(xp.max(flat, axis=1))
    return as_numpy(xp.sum(flat, axis=1) if norm == "l1" else xp.sqrt(xp.sum(flat * flat, axis=1)))


def distance_of(x: Array, y: Array, norm: str) -> np.ndarray[Any, Any]:
    """The norms (N,) of the differences of pictures (N, ...), computed in float64: float32 rounds them, up or down."""
    xp = namespace(x)
    return norm_of(xp.astype(x, xp.float64) - xp.astype(y, xp.float64), norm)


def project(d: Array, low: Array, high: Array, eps: Array, norm: str) -> Array:
    """The nearest changes to others, by Euclidean distance, that the ball and the box allow.

    Args:
        d: changes (N, ...), float64.
        low: the least change allowed, of their shape, 0 or less.
        high: the largest, 0 or more.
        eps: the largest norm of each, (N, 1, ...).
        norm: one of `NORMS`.
    """
    xp = namespace(d)
    if norm == "linf":
        return xp.clip(d, xp.maximum(low, -eps), xp.minimum(high, eps))
    if norm == "l2":
        return _at_norm_l2(d, low, high, eps, most=1.0)
    return _project_l1(d, low, high, eps)


def furthest(g: Array, low: Array, high: Array, eps: Array, norm: str) -> Array:
    """The changes d that the ball and the box allow for which sum(g d) is largest.

    Args:
        g: (N, ...), float64.
        low, high, eps, norm: as for `project`.
    """
    xp = namespace(g)
    if norm == "linf":
        return xp.clip(xp.sign(g) * eps, low, high)
    if norm == "l2":
        return _at_norm_l2(g, low, high, eps, most=np.inf)
    return _furthest_l1(g, low, high, eps)


def shortest(g: Array, low: Array, high: Array, gain: Array, norm: str) -> Array:
    """The shortest changes d that the box allows for which sum(g d) is `gain`; the furthest along g where none are.

    They are clip(t u, low, high), u the direction in which sum(g d) grows most for its length. Each round solves for t
    with the numbers known that are at their bounds; t only grows, so that the rounds end at the solution.

    Args:
        g, low, high: (N, ...), float64, as for `project`.
        gain: (N, 1, ...), 0 or more.
        norm: "l2" or "linf".
    """
    xp, axes = namespace(g), tuple(range(1, g.ndim))
    u = xp.sign(g) if norm == "linf" else g
    t = gain / _positive(xp.sum(g * u, axis=axes, keepdims=True))
    zeros = xp.zeros_like(g)
    for _ in range(_ROUNDS):
        at = t * u
        over = (at < low) | (at > high)
        fixed = xp.where(over, xp.clip(at, low, high), zeros)
        left = gain - xp.sum(g * fixed, axis=axes, keepdims=True)
        slope = xp.sum(xp.where(over, zeros, g * u), axis=axes, keepdims=True)
        grown = xp.where(slope > 0, left / _positive(slope), t)
        if not bool(xp.any(grown > t * (1 + 1e-12))):
            break
        t = xp.maximum(grown, t)
    return xp.clip(t * u, low, high)


def _at_norm_l2(d: Array, low: Array, high: Array, eps: Array, most: float) -> Array:
    """clip(t d, low, high) with the t in [0, most] at which its L2 norm is eps; at `most` where that is too short.

    With the numbers known that are at their bounds, t follows from the others; each round finds more of the former, and
    t only grows, so that the rounds end at the solution.
    """
    xp, axes = namespace(d), tuple(range(1, d.ndim))
    t = _bounded(eps / _positive(_length(d, axes)), most)
    for _ in range(_ROUNDS):
        at = t * d
        over = (at < low) | (at > high)
        fixed = xp.where(over, xp.clip(at, low, high), xp.zeros_like(d))
        free = xp.where(over, xp.zeros_like(d), d)
        left = xp.clip(eps * eps - xp.sum(fixed * fixed, axis=axes, keepdims=True), min=0.0)
        length = _length(free, axes)
        grown = _bounded(xp.where(length > 0, xp.sqrt(left) / _positive(length), t), most)
        grown = xp.maximum(grown, t)
        if not bool(xp.any(grown > t * (1 + 1e-15))):
            break
        t = grown
    return xp.clip(t * d, low, high)


def _project_l1(d: Array, low: Array, high: Array, eps: Array) -> Array:
    """sign(d) clip(|d| - m, 0, room), with the least m >= 0 at which the sum of its magnitudes is at most eps."""
    xp, axes = namespace(d), tuple(range(1, d.ndim))
    size, room = xp.abs(d), xp.where(d > 0, high, -low)

    def kept(m: Array) -> Array:
        return xp.minimum(xp.clip(size - m, min=0.0), room)

    under, over = xp.zeros_like(eps), xp.max(size, axis=axes, keepdims=True)
    enough = xp.sum(kept(under), axis=axes, keepdims=True) <= eps
    for _ in range(_HALVINGS):
        middle = (under + over) / 2
        long = xp.sum(kept(middle), axis=axes, keepdims=True) > eps
        under, over = xp.where(long, middle, under), xp.where(long, over, middle)
    return xp.sign(d) * kept(xp.where(enough, xp.zeros_like(over), over))


def _furthest_l1(g: Array, low: Array, high: Array, eps: Array) -> Array:
    """The numbers with the largest |g| moved as far as their room allows, one after the other, until eps is spent."""
    xp, shape = namespace(g), g.shape
    room = xp.reshape(xp.where(g > 0, high, -low), (shape[0], -1))
    room = xp.minimum(room, xp.reshape(eps, (-1, 1)))  # finite, so that it adds up
    room = xp.where(xp.reshape(g, room.shape) == 0, xp.zeros_like(room), room)
    order = xp.argsort(-xp.abs(xp.reshape(g, room.shape)), axis=1, stable=True)
    sorted_room = xp.take_along_axis(room, order, axis=1)
    spent = xp.cumulative_sum(sorted_room, axis=1) - sorted_room
    moved = xp.minimum(sorted_room, xp.clip(xp.reshape(eps, (-1, 1)) - spent, min=0.0))
    back = xp.argsort(order, axis=1, stable=True)
    return xp.sign(g) * xp.reshape(xp.take_along_axis(moved, back, axis=1), shape)


def _length(d: Array, axes: tuple[int, ...]) -> Array:
    xp = namespace(d)
    return xp.sqrt(xp.sum(d * d, axis=axes, keepdims=True))


def _positive(x: Array) -> Array:
    """`x`, and 1 where it is 0."""
    xp = namespace(x)
    return xp.where(x > 0, x, xp.ones_like(x))


def _bounded(x: Array, most: float) -> Array:
    return x if np.isinf(most) else namespace(x).clip(x, max=most)
