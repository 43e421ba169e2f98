"""Reductions of a layer inside a traced function."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from crosslens.model.reduction import unit_axis

from .layers.layer_tensor import LayerTensor, outside_dtype

__all__ = ["reduce_inside"]


def reduce_inside(layer: LayerTensor, y: Any, kind: str) -> Any:
    """A reduction of a layer's own tensor, (N, units); sums are added axis by axis, each in float32."""
    rank = y.shape.rank
    units = layer.channels % rank if rank > 3 else unit_axis(rank)
    if layer.has_heads or (rank > 3 and units not in {1, rank - 1}):
        y = layer.outside(y)
        units, rank = unit_axis(y.shape.rank), y.shape.rank
    positions = [axis for axis in range(1, rank) if axis != units]
    return _KINDS[kind](tf.cast(y, outside_dtype(y.dtype)), positions)


def _add(y: Any, positions: list[int]) -> Any:
    for axis in reversed(positions):
        y = tf.reduce_sum(y, axis)
    return y


def _first(arg: Callable[..., Any], y: Any, positions: list[int]) -> Any:
    """The first position of an extremum, positions counted row by row."""
    units = next(axis for axis in range(1, y.shape.rank) if axis not in positions)
    sizes = tf.shape(y)
    shape = [sizes[0], sizes[1], -1] if units == 1 else [sizes[0], -1, sizes[units]]
    return arg(tf.reshape(y, shape), axis=2 if units == 1 else 1)


_KINDS: Mapping[str, Callable[[Any, list[int]], Any]] = {
    "max": tf.reduce_max,
    "min": tf.reduce_min,
    "argmax": lambda y, positions: _first(tf.argmax, y, positions),
    "argmin": lambda y, positions: _first(tf.argmin, y, positions),
    "sum": _add,
    "squares": lambda y, positions: _add(tf.square(y), positions),
    "zeros": lambda y, positions: _add(tf.cast(tf.equal(y, 0), y.dtype), positions),
}
