"""The rectangle of input pixels that a unit at a position of a layer can depend on."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ..errors import ImageError, LayerError
from ..model.base import Model
from ..model.layer import Layer, LayerLike
from ..model.reduction import unit_axis
from .dependence import FAR, Dependence
from .fields import fields_of
from .gradients import support

__all__ = ["Rectangle", "activation_shape", "index_at", "rectangle_at", "spans_at", "unit_field"]


@dataclass(frozen=True)
class Rectangle:
    """Pixels of the image, half-open: rows top to bottom - 1, columns left to right - 1."""

    top: int
    left: int
    bottom: int
    right: int
    unclipped: tuple[int, int, int, int] = (0, 0, 0, 0)
    """The same four as if the image went on beyond its edges; the side is the theoretical size."""
    known: str = "arithmetic"
    """How it is known: by "arithmetic" nothing outside it can matter; by "gradients" all of it at least matters."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), clipped."""
        return self.bottom - self.top, self.right - self.left


def unit_field(
    model: Model,
    layer: LayerLike,
    position: int | Sequence[int] = 0,
    *,
    unit: int | None = None,
    size: tuple[int, int] | None = None,
) -> Rectangle | None:
    """The pixels that a unit of a layer can depend on at a position; None for the whole image.

    Args:
        model: a network of pictures.
        layer: its name, alias or object.
        position: (row, column) in a map, the number of a token, or a number that counts positions row by row.
        unit: which unit (channel); None: the rectangle that holds those of all units, which differ behind branches.
        size: (H, W) of the image in pixels; None: that of `model.input.example_shape`.

    Returns:
        The rectangle. None where units see the whole image wherever they stand: behind global pooling, attention, a
        dense layer, squeeze-and-excitation. A rectangle may hold the whole image too: `Rectangle.unclipped` is then at
        least as large. Where a network's operators are not known, it is what gradients at random images reach, and
        `Rectangle.known` says so: the network may depend on more.

    Raises:
        ImageError: the network takes no pictures.
        LayerError: no such layer, position or unit.
    """
    if not model.input.is_image or len(model.input.example_shape) != 3:
        raise ImageError(f"receptive fields are of networks of pictures (C, H, W); this one takes {model.input.shape}")
    place = model.layer(layer)
    fields, reason = fields_of(model, size)
    found = fields.get(place.name)
    image = size or (model.input.example_shape[1], model.input.example_shape[2])
    if reason or (found is not None and found.unknown):
        return _by_gradients(model, place, position, unit, image)
    if found is None:
        raise LayerError(f"layer {place.name!r} depends on no pixel of the image")
    return rectangle_at(found, place, position, unit)


def rectangle_at(found: Dependence, layer: Layer, position: int | Sequence[int], unit: int | None) -> Rectangle | None:
    """The rectangle at a position of a layer whose dependence is known; None for the whole image.

    Args:
        found: what the layer depends on.
        layer: for messages.
        position: (row, column), or a number that counts positions row by row.
        unit: which unit; None: all of them together.

    Raises:
        LayerError: no such position or unit.
    """
    spans = spans_at(found, index_at(layer, found.shape, position, unit))
    if all(start <= -FAR // 2 for _, _, start, _ in spans):
        return None
    (top, bottom, high, low), (left, right, near, far) = (_finite(*span) for span in spans)
    return Rectangle(top, left, bottom, right, (high, near, low, far))


def spans_at(found: Dependence, index: tuple[int | slice, ...]) -> list[tuple[int, int, int, int]]:
    """Start and stop, clipped and unclipped, along each axis of the image, of the values at an index together."""
    spans = []
    for values in found.bounds:
        own = values[
            (slice(None), *(slice(None) if n == 1 else i for i, n in zip(index, values.shape[1:], strict=True)))
        ]
        least = own.reshape(4, -1).min(axis=1)
        spans.append((int(least[0]), int(-least[1]), int(least[2]), int(-least[3])))
    return spans


def _finite(start: int, stop: int, first: int, last: int) -> tuple[int, int, int, int]:
    """Infinite along one axis of two, the clipped interval is all that there is; one of nothing is empty."""
    if start >= FAR // 2:
        return 0, 0, 0, 0
    return (start, stop, start, stop) if first <= -FAR // 2 else (start, stop, first, last)


def index_at(
    layer: Layer, shape: Sequence[int], position: int | Sequence[int], unit: int | None
) -> tuple[int | slice, ...]:
    """The index of a position in activations (1, ...): units a slice where none is chosen.

    Args:
        layer: for messages.
        shape: of the activations.
        position: (row, column), or a number that counts positions row by row.
        unit: which unit; None: all of them.

    Raises:
        LayerError: no such position or unit.
    """
    axis = unit_axis(len(shape))
    positions = [n for a, n in enumerate(shape) if a not in {0, axis}]
    if isinstance(position, int | np.integer):
        if not 0 <= position < prod(positions):
            raise LayerError(f"layer {layer.name!r} has {prod(positions)} positions; received position {position}")
        places = [int(i) for i in np.unravel_index(int(position), positions)] if positions else []
    else:
        places = [int(i) for i in position]
        inside = len(places) == len(positions) and all(0 <= i < n for i, n in zip(places, positions, strict=True))
        if not inside:
            received = ",".join(map(str, places))
            if not positions:
                raise LayerError(f"layer {layer.name!r} has one position; leave it out; received {received}")
            last = ",".join(str(n - 1) for n in positions)
            first = ",".join("0" for _ in positions)
            raise LayerError(f"layer {layer.name!r} has the positions {first} to {last}; received {received}")
    if len(shape) > axis and unit is not None and not 0 <= unit < shape[axis]:
        raise LayerError(f"layer {layer.name!r} has {shape[axis]} units, counted from 0; received unit {unit}")
    rest = iter(places)
    own: int | slice = slice(None) if unit is None else unit
    return tuple(0 if a == 0 else own if a == axis else next(rest) for a in range(len(shape)))


def activation_shape(model: Model, layer: str, size: tuple[int, int]) -> tuple[int, ...]:
    """The shape of a layer's activations (1, ...) for one image of a size."""
    image = np.zeros((1, model.input.example_shape[0], *size), np.float32)
    return tuple(model.forward(image, [layer])[layer].shape)


def _by_gradients(
    model: Model, layer: Layer, position: int | Sequence[int], unit: int | None, size: tuple[int, int]
) -> Rectangle | None:
    """What gradients at random images reach; None where that is the whole image."""
    index = index_at(layer, activation_shape(model, layer.name, size), position, unit)
    top, bottom, left, right = support(model, layer.name, index, size)
    if (top, left, bottom, right) == (0, 0, *size):
        return None
    return Rectangle(top, left, bottom, right, (top, left, bottom, right), "gradients")
