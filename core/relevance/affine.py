"""Layers that are a gain and a shift of each channel, as a normalisation by constants is, in whatever operators."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..alignment.epsilon import channel_gains, epsilon_from_gains
from ..arrays import as_numpy
from ..model.layer import Layer

__all__ = ["Affine", "affine_of", "is_affine", "is_measured"]

Values = np.ndarray[Any, Any]

_LINEAR = 1e-3
"""Relative error up to which a normalisation is a gain and a shift of each channel."""
_TOLD = 1e-3
"""Share of the offset from which on a channel's values tell its gain; of dead ones they are rounding."""
_TIMES = frozenset({"mul", "multiply", "div", "divide", "truediv"})
_PLUS = frozenset({"add", "sub", "subtract"})


@dataclass(frozen=True, eq=False)
class Affine:
    """y = gain x + shift of each channel, (C,) each."""

    gain: Values
    shift: Values
    axis: int
    """Of x and y that has the channels."""


def is_affine(layer: Layer, weights: Mapping[str, object]) -> bool:
    """Whether a layer that reads one other may be one: a normalisation, a bias, a product or sum with a constant."""
    return _tells(weights) or is_measured(layer, weights)


def is_measured(layer: Layer, weights: Mapping[str, object]) -> bool:
    """Whether what the layer does is found from its values alone: no weights say it, or ones of a user's own names."""
    return not _tells(weights) and "kernel" not in weights and not _words(layer).isdisjoint(_TIMES | _PLUS)


def _tells(weights: Mapping[str, object]) -> bool:
    return "variance" in weights or set(weights) == {"bias"}


def affine_of(
    layer: Layer, weights: Mapping[str, Values], x: Values, y: Values, axes: Sequence[int] = ()
) -> Affine | None:
    """What a layer does to each channel; None if it does something else.

    Args:
        layer: what it is.
        weights: by name, (C,) each, as `Model.weights` gives them; of a product or a sum with a constant none.
        x: what it reads, (N, C, ...), tokens (N, T, D) or signals (N, C, L); without weights two images' or more.
        y: what it gives, of the same shape.
        axes: that may have the channels, the likeliest first; of three axes the last and the second one if not given.
    """
    if x.shape != y.shape:
        return None
    w = {name: as_numpy(values) for name, values in weights.items() if _tells(weights)}
    for axis in axes or ((2, 1) if x.ndim == 3 else (1,)):
        found = _along(axis, layer, w, x, y)
        if found is not None:
            return found
    return None


def _along(axis: int, layer: Layer, w: Mapping[str, Values], x: Values, y: Values) -> Affine | None:
    dtype = next((values.dtype for name, values in w.items() if name in {"variance", "bias"}), y.dtype)
    x, y = (np.moveaxis(v, axis, 0).reshape(v.shape[axis], -1).astype(np.float64) for v in (x, y))
    if any(values.shape != (len(x),) for values in w.values()):
        return None
    found = _by_weights(w, x, y) if w else _by_values(layer, x, y)
    if found is None:
        return None
    gain, shift = found
    if np.linalg.norm(_rows(gain) * x + _rows(shift) - y) > _LINEAR * np.linalg.norm(y):
        return None
    return Affine(gain.astype(dtype), shift.astype(dtype), axis)


def _by_weights(w: Mapping[str, Values], x: Values, y: Values) -> tuple[Values, Values] | None:
    if "variance" not in w:
        return np.ones(len(x)), w["bias"].astype(np.float64)
    offset = w.get("offset", np.zeros(len(x)))
    epsilon = epsilon_from_gains(_measured_gain(x - _rows(w["mean"]), y, _rows(offset)), w)
    if epsilon is None:
        return None
    gain = channel_gains(w, epsilon)
    return gain, offset - gain * w["mean"]


def _by_values(layer: Layer, x: Values, y: Values) -> tuple[Values, Values] | None:
    if not _words(layer).isdisjoint(_PLUS):
        return np.ones(len(x)), (y - x).mean(axis=1)
    if not x.any(axis=1).all():  # a channel without values tells nothing
        return None
    return _measured_gain(x, y, np.zeros((len(x), 1))), np.zeros(len(x))


def _measured_gain(x: Values, y: Values, offset: Values) -> Values:
    """(C,) so that y = gain x + offset, (C, positions) each; 0 where y is the offset but for rounding.

    One position is enough.
    """
    y = y - offset
    power = (x**2).sum(axis=1)
    told = (power > 0) & ((y**2).mean(axis=1) > _TOLD**2 * (offset**2).mean(axis=1))
    return np.asarray(np.divide((x * y).sum(axis=1), power, out=np.zeros_like(power), where=told))


def _words(layer: Layer) -> set[str]:
    """What the layer is, and what the operator is called that gives its values, where it is a user's module."""
    names = (layer.kind, *(alias.rpartition("/")[2] for alias in layer.aliases))
    return {re.sub(r"(_\d+)?$", "", name.lower()).replace("_", "") for name in names}


def _rows(values: Values) -> Values:
    return np.reshape(values, (-1, 1))
