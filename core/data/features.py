"""Features: what a layer, or the image itself, gives for each image as one row of numbers, its embedding."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError, LayerError, ParameterError, unknown_name
from ..model.base import INPUT, Model
from ..model.layer import shape_in_words
from ..model.reduction import KINDS, Reduction, positions_first, unit_axis
from .rows import Rows
from .statistic import Batch

__all__ = ["AUTO", "CHOICES", "POOLINGS", "Features", "features_of"]

Numbers = np.ndarray[Any, Any]


def _mean(values: Numbers) -> Numbers:
    positions = positions_first(values)
    return np.asarray(KINDS["sum"](positions) / positions.shape[1])


def _centre(values: Numbers) -> Numbers:
    """The position in the middle of maps (N, C, h, w), row h // 2 and column w // 2."""
    return values[(slice(None), slice(None), *(size // 2 for size in values.shape[2:]))]


POOLINGS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "mean": _mean,
    "max": lambda values: KINDS["max"](positions_first(values)),
    "flatten": lambda values: values.reshape(len(values), -1),
    "centre": _centre,
}
"""From activations (N, ...) to rows (N, width)."""
AUTO = "auto"
"""Of `features_of`: all values of images themselves, the mean over positions of a layer."""
CHOICES = (AUTO, *POOLINGS)
"""What methods take as `pooling`."""
_REDUCED = {"mean": "sum", "max": "max"}
"""The poolings that the network can compute in its graph, and by which reduction."""


@dataclass(frozen=True)
class Features(Rows):
    """A row of float32 for each image: a layer's activations, pooled over positions or flattened.

    Of the layer "<input>" the images themselves, as the model takes them: in its bounds, before its preprocessing.
    `features_of` fills in `width` and `positions` from a model.

    Raises:
        ParameterError: no such pooling, or a width below 1.
    """

    layer: str
    """By its canonical name."""
    pooling: str = "mean"
    """One of `POOLINGS`: "mean" and "max" over positions, "flatten" for all values in their order, channels first,
    "centre" for the position in the middle of maps."""
    width: int = 0
    """Numbers in a row."""
    positions: int = 0
    """Of a unit, where they are as many for each image; else 0: then activations are read whole."""

    def __post_init__(self) -> None:
        if self.pooling not in POOLINGS:
            raise ParameterError(unknown_name("pooling", self.pooling, POOLINGS))
        if self.width < 1:
            raise ParameterError(f"the width of a row is {self.width}; features_of(model, layer, pooling) knows it")

    @property
    def shape(self) -> Sequence[int]:
        return (self.width,)

    @property
    def _reduction(self) -> Reduction | None:
        """What the network computes itself."""
        reduces = self.positions > 1 and self.layer != INPUT and self.pooling in _REDUCED
        return Reduction(self.layer, _REDUCED[self.pooling]) if reduces else None

    @property
    def layers(self) -> frozenset[str]:
        return frozenset() if self._reduction else frozenset({self.layer})

    @property
    def reductions(self) -> frozenset[Reduction]:
        return frozenset({self._reduction} if self._reduction else ())

    def rows(self, batch: Batch) -> Array:
        if self._reduction:
            values = np.asarray(batch.reduced[self._reduction])
            return values / self.positions if self.pooling == "mean" else values
        values = as_numpy(batch.activations[self.layer])
        rows = POOLINGS[self.pooling](values)
        if rows.shape[1] != self.width:
            raise ImageError(
                f"image {batch.samples.ids[0]!r} gives {rows.shape[1]} numbers in layer {self.layer!r} and not "
                f"{self.width}: {self.pooling} takes images of one size; pool by mean or max"
            )
        return rows


def features_of(model: Model, layer: str, pooling: str = AUTO) -> Features:
    """The features of a layer of this model, with the width of a row.

    Args:
        model: the network.
        layer: a layer with units, or "<input>" for the images themselves.
        pooling: one of `CHOICES`; "auto" flattens images, whose mean would be one colour, and averages layers.

    Raises:
        LayerError: no such layer, or it gives one number per image.
        ParameterError: no such pooling, or one that this layer's shape does not allow.
    """
    found = model.layer(layer)
    if pooling == AUTO:
        pooling = "flatten" if found.name == INPUT else "mean"
    if pooling not in POOLINGS:
        raise ParameterError(unknown_name("pooling", pooling, CHOICES))
    shape = tuple(found.shape)
    if len(shape) < 2 or shape[0] is not None:
        raise LayerError(f"layer {found.name!r} gives {shape_in_words(shape)}, which is not a row or maps per image")
    if pooling == "centre" and len(shape) == 3:
        raise ParameterError(f"layer {found.name!r} gives tokens, which have no centre; pool by mean, max or flatten")
    axis = unit_axis(len(shape))
    others = shape[1:axis] + shape[axis + 1 :]
    known = () if None in (*model.input.shape[1:], *others) else tuple(int(n or 0) for n in others)
    fixed = len(known) == len(others)
    units = shape[axis]
    if units is None or (pooling == "flatten" and not fixed):
        raise ParameterError(
            f"layer {found.name!r} gives {shape_in_words(shape)}, whose size depends on the image, so rows of "
            f"{pooling} differ in length; pool by mean or max"
        )
    positions = prod(known) if fixed else 0
    return Features(found.name, pooling, units * positions if pooling == "flatten" else units, positions)
