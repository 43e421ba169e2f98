"""Receptive fields with what is known of them: bounds from above by arithmetic, from below by gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..model.base import Model
from ..model.reduction import unit_axis
from .dependence import FAR, Dependence
from .fields import fields_of
from .gradients import support
from .unit_field import activation_shape, index_at, spans_at

__all__ = ["Field", "field_at"]

EXACT = "exact"


@dataclass(frozen=True)
class Field:
    """The field of a layer's units at a position."""

    position: tuple[int, ...]
    """(row, column), the number of a token, or () for a layer without positions."""
    rectangle: tuple[int, int, int, int]
    """top, left, bottom, right in pixels that exist, half-open."""
    size: tuple[int, int]
    """(height, width) of the theoretical field, which goes on beyond the image."""
    strides: tuple[float, float]
    """Pixels between neighbouring units."""
    padding: tuple[float, float]
    """Pixels by which the field of the first unit begins before the image."""
    centre: tuple[float, float]
    """Of the first unit's field; whole numbers are centres of pixels."""
    whole: bool
    """Whether units see the whole image wherever they stand."""
    known: str
    """"exact": gradients reach all of it; else which bound it is, with the other one."""


def field_at(
    model: Model,
    layer: str,
    position: Sequence[int] | None = None,
    *,
    unit: int | None = None,
    size: tuple[int, int] | None = None,
    images: int = 8,
) -> Field:
    """The field of a layer's units at a position, and how it is known.

    Args:
        model: a network of pictures.
        layer: its name.
        position: (row, column), or (number,) of a token; None: the middle one.
        unit: which one; None: the rectangle that holds those of all units.
        size: (H, W) of the image in pixels; None: that of `model.input.example_shape`.
        images: random images whose gradients certify the field from below; 0 for none.

    Raises:
        LayerError: no such position or unit.
    """
    image = size or (model.input.example_shape[1], model.input.example_shape[2])
    fields, reason = fields_of(model, image)
    found, place = fields.get(layer), model.layer(layer)
    shape = activation_shape(model, layer, image) if found is None else found.shape
    position = tuple(n // 2 for n in _positions(shape)) if position is None else tuple(position)
    index = index_at(place, shape, position, unit)
    unknown = [] if found is None else sorted(found.unknown)
    below = None
    if images or found is None or unknown:
        top, bottom, left, right = support(model, layer, index, image, images=images or 8)
        below = (top, left, bottom, right)
    if found is None or unknown:
        assert below is not None
        cause = f"operator {', '.join(unknown)}" if unknown else reason or "no operator is known"
        return _from_below(position, below, image, cause)
    return _from_above(found, index, position, below, image)


def _positions(shape: Sequence[int]) -> list[int]:
    return [n for axis, n in enumerate(shape) if axis not in {0, unit_axis(len(shape))}]


def _from_below(
    position: tuple[int, ...], below: tuple[int, int, int, int], image: tuple[int, int], cause: str
) -> Field:
    top, left, bottom, right = below
    whole = below == (0, 0, *image)
    known = EXACT if whole else f"at least, by gradients ({cause})"
    nan = (float("nan"),) * 2
    return Field(position, below, (bottom - top, right - left), nan, nan, nan, whole, known)


def _from_above(
    found: Dependence,
    index: tuple[int | slice, ...],
    position: tuple[int, ...],
    below: tuple[int, int, int, int] | None,
    image: tuple[int, int],
) -> Field:
    spans, first = spans_at(found, index), spans_at(found, _first(index))
    whole = all(start <= -FAR // 2 for _, _, start, _ in spans)
    (top, bottom, *rows), (left, right, *columns) = (_within(span, n) for span, n in zip(spans, image, strict=True))
    rectangle = (top, left, bottom, right)
    size = (rows[1] - rows[0], columns[1] - columns[0])
    starts = [_within(span, n)[2:] for span, n in zip(first, image, strict=True)]
    padding = (float(-starts[0][0]), float(-starts[1][0]))
    centre = ((starts[0][0] + starts[0][1] - 1) / 2, (starts[1][0] + starts[1][1] - 1) / 2)
    known = "at most, by arithmetic" if below is None else EXACT
    if below is not None and below != rectangle:
        known = f"at most; at least rows {below[0]} to {below[2] - 1}, columns {below[1]} to {below[3] - 1}"
    strides = (found.strides[0], found.strides[1])
    return Field(position, rectangle, size, strides, padding, centre, whole, known)


def _first(index: tuple[int | slice, ...]) -> tuple[int | slice, ...]:
    """The first position of the same units."""
    axis = unit_axis(len(index))
    return tuple(each if n == axis else 0 for n, each in enumerate(index))


def _within(span: tuple[int, int, int, int], length: int) -> tuple[int, int, int, int]:
    """Nothing is read: zeros; infinite: the axis of the image."""
    start, stop, first, _ = span
    if start >= FAR // 2:
        return 0, 0, 0, 0
    return (start, stop, 0, length) if first <= -FAR // 2 else span
