"""Kernel rules and slopes in plain array code, for `TinyModel`: the equations of `crosslens.model.kernel_rules`."""

from collections.abc import Callable

from ..arrays import Array, like, namespace
from ..model.backward_rules import close_pairs
from ..model.kernel_rules import Branch, KernelRule

__all__ = ["pulled_back", "ratio", "secant"]

_CLOSE = 1e-10


def pulled_back(
    rule: KernelRule, x: Array, y: Array, dy: Array, apply: Callable[[Array, Array], Array],
    transposed: Callable[[Array, Array], Array], own: Array,
) -> tuple[Array, Array]:  # fmt: skip
    """dx, and what biases and the stabiliser took, (N, 2).

    Args:
        rule: the table.
        x: the layer's input.
        y: its output.
        dy: the gradient there.
        apply: gives K u of an input u and a kernel.
        transposed: gives K' g of a gradient g and a kernel.
        own: the layer's kernel.
    """
    xp = namespace(x)
    gain, shift = (_along(values, y) for values in (rule.gain, rule.shift))
    z = y if gain is None else gain * y + (0 if shift is None else shift)
    relevance = z * dy if gain is None else z * _quotient(dy, gain + xp.zeros_like(dy))
    dx, taken, left = xp.zeros_like(x), _total(xp.zeros_like(y)), _total(relevance)
    for branch in rule.branches:
        inputs = [_input(each, x) for each, _ in branch.kernels]
        kernels = [like(kernel, x) for _, kernel in branch.kernels]
        bias = _along(branch.bias, y)
        out = z if not kernels else xp.zeros_like(y) + (0 if bias is None else bias)
        for (u, _), kernel in zip(inputs, kernels, strict=True):
            out = out + apply(u, kernel)
        shares = branch.weight * _quotient(_of_side(relevance, z, branch), out + rule.stabiliser * _sign(out))
        if kernels:
            for (u, mask), kernel in zip(inputs, kernels, strict=True):
                dx = dx + (u if rule.local else mask) * transposed(shares, kernel)
        else:
            back = transposed(shares if gain is None else gain * shares, own)
            dx = dx + (x * back if rule.local else back)
        left = left - _total(shares * out)
        taken = taken + (_total(shares * bias) if bias is not None else 0)
    return dx, xp.stack([taken, left], axis=1)


def ratio(x: Array, y: Array, slope: Array) -> Array:
    """f(x) / x, and the slope where x is close to 0."""
    xp = namespace(x)
    close = xp.abs(x) < _CLOSE
    return xp.where(close, slope, y / xp.where(close, xp.ones_like(x), x))


def secant(x: Array, y: Array, slope: Array, *, smooth: bool = True) -> Array:
    """(f(x) - f(x')) / (x - x') of a batch of images and as many references, for both halves.

    Args:
        x: values, images first.
        y: f(x).
        slope: f'(x).
        smooth: whether close values have the mean of their slopes; else those of equal slopes have it.
    """
    xp, half = namespace(x), x.shape[0] // 2
    (x, other), (y, at_other), (own, its) = ((each[:half, ...], each[half:, ...]) for each in (x, y, slope))
    width = xp.abs(x - other)
    close = width < close_pairs(xp.finfo(x.dtype).bits) if smooth else (own == its) | (width < _CLOSE)
    chord = (y - at_other) / xp.where(close, xp.ones_like(x), x - other)
    factor = xp.where(close, (own + its) / 2, chord)
    return xp.concat([factor, factor], axis=0)


def _along(values: Array | None, y: Array) -> Array | None:
    """(C,) in a shape that broadcasts with maps (N, C, H, W) or vectors (N, C)."""
    return None if values is None else namespace(y).reshape(like(values, y), (1, -1, *[1] * (y.ndim - 2)))


def _input(inputs: str | Array, x: Array) -> tuple[Array, Array]:
    """What a kernel reads, and its mask."""
    xp = namespace(x)
    zero, one = xp.zeros_like(x), xp.ones_like(x)
    if not isinstance(inputs, str):
        return zero + xp.reshape(like(inputs, x), (1, -1, *[1] * (x.ndim - 2))), zero
    kept = {"any": one > 0, "positive": x > 0, "negative": x < 0}[inputs]
    return xp.where(kept, x, zero), xp.where(kept, one, zero)


def _of_side(relevance: Array, z: Array, branch: Branch) -> Array:
    xp = namespace(z)
    if branch.side == "any":
        return relevance
    return xp.where(z > 0 if branch.side == "positive" else z < 0, relevance, xp.zeros_like(relevance))


def _quotient(a: Array, b: Array) -> Array:
    xp = namespace(b)
    return xp.where(b == 0, xp.zeros_like(a), a / xp.where(b == 0, xp.ones_like(b), b))


def _sign(values: Array) -> Array:
    xp = namespace(values)
    return xp.where(values < 0, -xp.ones_like(values), xp.ones_like(values))


def _total(values: Array) -> Array:
    return namespace(values).sum(values, axis=tuple(range(1, values.ndim)))
