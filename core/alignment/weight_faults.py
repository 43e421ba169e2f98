"""What was done to a layer's weights: transposed, flipped, permuted, rounded or changed, a normalisation's epsilon."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ..arrays import as_numpy
from .matcher import Pair, Twins
from .similarity import Values, agreement

__all__ = ["Finding", "altered_weights"]

SAME = 1e-6
"""Relative L2 difference up to which two tensors are one."""
FOLDED = 1e-4
"""The same where a normalisation was folded in: its epsilon is fitted."""

_Named = tuple[str, str, Values]
"""Layer, parameter, values."""


class Finding(NamedTuple):
    """A kind of cause, in words, and the layer."""

    kind: str
    text: str
    layer: str


def altered_weights(twins: Twins, of_a: tuple[str, ...], of_b: tuple[str, ...], pair: Pair) -> Finding | None:
    """What differs between the weights of the layers that make up one step, if both networks show them."""
    a, b = _held(twins, of_a, first=True), _held(twins, of_b, first=False)
    if not a or not b:
        return None
    if [(name, v.size) for _, name, v in a] == [(name, v.size) for _, name, v in b]:
        for (layer, name, mine), (_, _, theirs) in zip(a, b, strict=True):
            found = _altered(mine, theirs)
            if found:
                return Finding(found[0], f"the {name} of {layer!r} {found[1]}", layer)
        return _epsilon(twins, a, b, pair)
    return _folded(twins, a, b, pair)


def _held(twins: Twins, layers: tuple[str, ...], *, first: bool) -> list[_Named]:
    model = twins.a if first else twins.b
    held = ((layer, model.weights(layer)) for layer in layers)
    return [(layer, name, as_numpy(w[name])) for layer, w in held for name in sorted(w)]


def _altered(mine: Values, theirs: Values) -> tuple[str, str] | None:
    """(kind, in words) of how `theirs` came from `mine`; None if they are the same."""
    if mine.shape == theirs.shape and agreement(mine, theirs)[1] <= SAME:
        return None
    found = _turned(mine, theirs)
    if found is None and mine.shape != theirs.shape:
        return "weights", f"has shape {theirs.shape} for {mine.shape}"
    return found or _swapped(mine, theirs) or _rounded(mine, theirs)


def _turned(mine: Values, theirs: Values) -> tuple[str, str] | None:
    for words, turn in _TURNS.items():
        turned = turn(mine) if mine.ndim in {2, 4} else mine
        if turned.shape == theirs.shape and agreement(turned, theirs)[1] <= FOLDED:
            return "transposed", f"is transposed: {words}"
    return None


def _swapped(mine: Values, theirs: Values) -> tuple[str, str] | None:
    for axis, which in zip(range(mine.ndim), ("output", "input")[: mine.ndim], strict=False):
        order = _order(mine, theirs, axis)
        if order is not None:
            moved = [k for k, other in enumerate(order) if k != other]
            return "channels", f"has its {which} channels swapped: {len(moved)} of {len(order)}, {moved[:4]} first"
    return None


def _rounded(mine: Values, theirs: Values) -> tuple[str, str]:
    """Rounded to fewer bits, or simply other values."""
    difference = agreement(mine, theirs)[1]
    if np.array_equal(mine.astype(np.float16).astype(np.float32), theirs):
        return "float16", "is rounded to float16"
    levels = _levels(theirs)
    if levels and difference < 0.2:
        return "int8", f"is rounded to 8 bits ({levels} levels), a relative change of {difference:.1e}"
    count = int((mine != theirs).sum())
    place = [int(n) for n in np.unravel_index(np.abs(mine - theirs).argmax(), mine.shape)]
    return "weights", f"differs: {count} of {mine.size} values, relative L2 {difference:.1e}, most at {place}"


_TURNS: Mapping[str, Callable[[Values], Values]] = {
    "height and width are exchanged": lambda k: k.swapaxes(-1, -2) if k.ndim == 4 else k,
    "inputs and outputs are exchanged": lambda k: k.swapaxes(0, 1),
    "it is turned by 180 degrees (convolution for correlation)": lambda k: k[..., ::-1, ::-1] if k.ndim == 4 else k,
    "it is stored in another order (reshaped, not transposed)": lambda k: (
        np.moveaxis(k.reshape(*k.shape[2:], k.shape[1], k.shape[0]), (3, 2), (0, 1))
        if k.ndim == 4
        else k.reshape(k.shape[::-1]).T
    ),
}


def _order(mine: Values, theirs: Values, axis: int) -> list[int] | None:
    """The permutation of one axis that makes them equal."""
    a, b = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1).astype(np.float64) for v in (mine, theirs))
    far = (a**2).sum(axis=1)[None] + (b**2).sum(axis=1)[:, None] - 2 * b @ a.T
    order = far.argmin(axis=1)
    if len(set(order.tolist())) < len(order) or agreement(a[order], b)[1] > FOLDED:
        return None
    return [int(k) for k in order]


def _levels(values: Values) -> int:
    """How many levels there are if 8 bits hold them, by tensor or by output channel; else 0."""
    rows = [values.ravel(), *values.reshape(len(values), -1)] if values.ndim > 1 else [values]
    counts = [len(np.unique(row)) for row in rows]
    big = [count for count, row in zip(counts, rows, strict=True) if row.size > 512]
    return max(big) if big and max(big) <= 256 else counts[0] if big and counts[0] <= 256 else 0


def _epsilon(twins: Twins, a: list[_Named], b: list[_Named], pair: Pair) -> Finding | None:
    """With equal weights: the epsilon that each normalisation computes with, fitted to what it does."""
    found = _norm(a), _norm(b)
    if not found[0] or not found[1]:
        return None
    mine = _fitted(twins.of_a, *found[0])
    theirs = _fitted(twins.of_b, *found[1])
    if mine is None or theirs is None or abs(mine - theirs) <= 1e-2 * max(mine, theirs) + 1e-7:
        return None
    text = f"another epsilon in {found[0][0]!r}: {theirs:.2g}, the reference has {mine:.2g} (fitted)"
    return Finding("epsilon", text, found[0][0])


def _norm(held: list[_Named]) -> tuple[str, dict[str, Values]] | None:
    """The last normalisation of a step, with its parameters."""
    layers = [layer for layer, name, _ in held if name == "variance"]
    return (layers[-1], {name: v for layer, name, v in held if layer == layers[-1]}) if layers else None


def _fitted(values: Mapping[str, Values], layer: str, norm: Mapping[str, Values]) -> float | None:
    """Epsilon from what a normalisation makes of the layer before it; None if that is not what it reads."""
    order = list(values)
    here = order.index(layer)
    if here == 0 or values[order[here - 1]].shape != values[layer].shape:
        return None
    x, y = (
        np.moveaxis(v, 1, 0).reshape(v.shape[1], -1).astype(np.float64)
        for v in (values[order[here - 1]], values[layer])
    )
    x = x - x.mean(axis=1, keepdims=True)
    power = (x**2).sum(axis=1)
    gain = np.divide((x * y).sum(axis=1), power, out=np.zeros_like(power), where=power > 0)
    if agreement(gain[:, None] * x, y - y.mean(axis=1, keepdims=True))[1] > 1e-3:
        return None
    return _solved(gain, norm)


def _solved(gain: Values, norm: Mapping[str, Values]) -> float | None:
    """Epsilon from gains scale / sqrt(variance + epsilon), channels weighted by how exactly each gives it."""
    variance = norm["variance"].astype(np.float64)
    scale = norm["scale"].astype(np.float64) if "scale" in norm else np.ones_like(variance)
    known = (np.abs(gain) > 1e-12) & (np.abs(scale) > 1e-6 * np.abs(scale).max(initial=0))
    if not known.any():
        return None
    epsilon = (scale[known] / gain[known]) ** 2 - variance[known]
    trust = 1 / (variance[known] + np.abs(epsilon) + 1e-12) ** 2
    return max(0.0, float((trust * epsilon).sum() / trust.sum()))


def _folded(twins: Twins, a: list[_Named], b: list[_Named], pair: Pair) -> Finding | None:
    """One side has convolution and normalisation, the other both in one: kernels are compared row by row."""
    norm = _norm(a) or _norm(b)
    kernels = [[v for _, name, v in held if name == "kernel"] for held in (a, b)]
    if norm is None or not kernels[0] or not kernels[1] or (_norm(a) is None) == (_norm(b) is None):
        return None
    mine, theirs = kernels[0][-1], kernels[1][-1]
    layer = next(layer for layer, name, _ in reversed(a) if name == "kernel")
    folded = theirs if _norm(a) else mine
    plain = mine if _norm(a) else theirs
    gain = _gains(plain, folded)
    if gain is None:
        restored = _unfolded(plain, folded, norm[1])
        found = _altered(*((plain, restored) if _norm(a) else (restored, plain)))
        return Finding(found[0], f"the kernel of {layer!r} {found[1]}", layer) if found else None
    other = _fitted(twins.of_a if _norm(a) else twins.of_b, *norm)
    return None if other is None else _rescaled(gain, norm, other, (a, b), pair)


def _rescaled(
    gain: Values, norm: tuple[str, dict[str, Values]], other: float, held: tuple[list[_Named], list[_Named]], pair: Pair
) -> Finding | None:
    """A kernel that was multiplied by channel: by another epsilon, or by what else."""
    expected = np.where(gain != 0, _gain(norm[1], other), 0)  # a channel without weights tells nothing
    if agreement(expected, gain)[1] <= SAME:
        return _shifted(expected, norm, held)
    epsilon = _solved(gain, norm[1])
    if epsilon is not None and agreement(np.where(gain != 0, _gain(norm[1], epsilon), 0), gain)[1] <= FOLDED:
        second, first = (epsilon, other) if _norm(held[0]) else (other, epsilon)
        text = f"another epsilon at {pair.a!r}: {second:.2g}, the reference has {first:.2g} (fitted)"
        return Finding("epsilon", text, pair.a)
    ratio = np.divide(gain, expected, out=np.ones_like(gain), where=np.abs(expected) > 1e-12)
    ratio = ratio if _norm(held[0]) else 1 / ratio
    layer = next(layer for layer, name, _ in reversed(held[0]) if name == "kernel")
    words = f"is multiplied, by {ratio.min():.4g} to {ratio.max():.4g} by output channel"
    return Finding("weights", f"the kernel of {layer!r}, or the scale after it, {words}", layer)


def _shifted(
    gain: Values, norm: tuple[str, dict[str, Values]], held: tuple[list[_Named], list[_Named]]
) -> Finding | None:
    """Kernels are the same: the bias into which offset and mean were folded."""
    plain, folded = held if _norm(held[0]) else held[::-1]
    given = next((v for _, name, v in plain if name == "bias"), 0.0)
    bias = next((v for _, name, v in folded if name == "bias"), np.zeros_like(gain))
    expected = norm[1].get("offset", 0.0) + gain * (given - norm[1]["mean"])
    difference = agreement(expected * (gain != 0), bias * (gain != 0))[1]
    if difference <= FOLDED:
        return None
    layer = norm[0] if _norm(held[0]) else held[0][-1][0]
    return Finding("weights", f"the offset or mean at {layer!r} differs: relative L2 {difference:.1e}", layer)


def _gain(norm: Mapping[str, Values], epsilon: float) -> Values:
    variance = norm["variance"].astype(np.float64)
    return np.asarray(norm.get("scale", np.ones_like(variance)) / np.sqrt(np.maximum(variance + epsilon, 1e-30)))


def _gains(plain: Values, folded: Values) -> Values | None:
    """What each output channel was multiplied by; None if it is not that alone."""
    if plain.shape != folded.shape:
        return None
    a, b = (v.reshape(len(v), -1).astype(np.float64) for v in (plain, folded))
    power = (a**2).sum(axis=1)
    gain = np.divide((a * b).sum(axis=1), power, out=np.zeros_like(power), where=power > 0)
    return gain if agreement(gain[:, None] * a, b)[1] < FOLDED else None


def _unfolded(plain: Values, folded: Values, norm: Mapping[str, Values]) -> Values:
    """The folded kernel with the normalisation taken out, at the epsilon under which most values are as in `plain`."""
    tried: list[tuple[float, int, Values]] = []
    for epsilon in (1e-3, 1e-5, 1e-6, 1e-4, 1e-2, 0.0):
        gain = _gain(norm, epsilon).reshape(-1, *[1] * (folded.ndim - 1))
        kernel = np.divide(folded, gain, out=np.zeros(folded.shape), where=np.abs(gain) > 1e-12)
        same = np.isclose(kernel, plain, rtol=1e-4, atol=1e-7).mean() if kernel.shape == plain.shape else 0.0
        tried.append((float(same), -len(tried), kernel))
    return np.asarray(max(tried, key=lambda t: t[:2])[2], np.float32)
