"""The receptive fields of many positions of a layer at once, and the windows in which they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.model import Model
from crosslens.model.reduction import unit_axis
from crosslens.receptive.dependence import FAR, Dependence
from crosslens.receptive.fields import fields_of
from crosslens.sheets.cut_out import cut_out

__all__ = ["GREY", "LayerFields", "field_notes", "rectangles"]

Numbers = np.ndarray[Any, Any]
GREY = 128
"""What is not seen."""


@dataclass(frozen=True)
class LayerFields:
    """What the units of a layer see of an image; all of it where that is not known by arithmetic."""

    dependence: Dependence | None
    shape: tuple[int, ...]
    """Of the positions: (h, w) for maps, (T,) for tokens, () for vectors."""
    image: tuple[int, int]
    """(H, W)."""

    @classmethod
    def of(cls, model: Model, layer: str, shape: tuple[int, ...], image: tuple[int, int]) -> "LayerFields":
        """Those of a layer.

        Args:
            model: the network; its arithmetic is known at `InputSpec.example_shape`, at another size all is seen.
            layer: its name.
            shape: of its positions.
            image: (H, W) of the images.
        """
        known = None
        if model.input.is_image and len(model.input.example_shape) == 3 and image == model.input.example_shape[-2:]:
            fields, reason = fields_of(model)
            known = fields.get(layer) if not reason else None
        exact = known is not None and not known.unknown and _positions(known.shape) == shape
        return cls(known if exact else None, shape, image)

    def clipped(self, units: Numbers, positions: Numbers) -> Numbers:
        """Top, left, bottom, right, half-open, within the image: (..., 4) of units and positions (...)."""
        whole = np.broadcast_to(np.array([0, 0, *self.image]), (*positions.shape, 4))
        if self.dependence is None:
            return whole
        (top, bottom, high, _), (left, right, near, _) = self._spans(units, np.maximum(positions, 0))
        seen = np.stack([top, left, bottom, right], axis=-1).clip(0, [*self.image, *self.image])
        seen[..., 2:] = np.maximum(seen[..., :2], seen[..., 2:])
        everywhere = (high <= -FAR // 2) & (near <= -FAR // 2)
        return np.where(everywhere[..., None], whole, seen)

    def window(self, unit: int, position: int) -> tuple[int, int, int, int]:
        """Where a picture of the field is cut: the field as if the image went on, no larger than the image."""
        sides = [(0, n) for n in self.image]
        if self.dependence is not None:
            for axis, (_, _, start, stop) in enumerate(self._spans(np.array(unit), np.array(position))):
                if stop - start <= self.image[axis]:
                    sides[axis] = (int(start), int(stop))
        (top, bottom), (left, right) = sides
        return top, left, bottom, right

    def cut(self, values: Numbers, unit: int, position: int, fill: float = GREY) -> Numbers:
        """The window of values (..., H, W), `fill` where the unit does not see them."""
        top, left, bottom, right = self.clipped(np.array(unit), np.array(position)).tolist()
        seen = np.full_like(values, fill)
        seen[..., top:bottom, left:right] = values[..., top:bottom, left:right]
        return cut_out(seen, self.window(unit, position), fill)

    def _spans(self, units: Numbers, positions: Numbers) -> Sequence[Sequence[Numbers]]:
        """Along each axis of the image: start and stop within the image, start and stop beyond it."""
        assert self.dependence is not None
        rank = len(self.dependence.shape)
        places = iter(np.unravel_index(positions, self.shape) if self.shape else ())
        index = [0 * positions, *(units if axis == unit_axis(rank) else next(places) for axis in range(1, rank))]
        spans = []
        for values in self.dependence.bounds:
            own = values[(slice(None), *(0 * i if n == 1 else i for i, n in zip(index, values.shape[1:], strict=True)))]
            spans.append((own[0], -own[1], own[2], -own[3]))
        return spans


def _positions(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(n for axis, n in enumerate(shape) if axis not in {0, unit_axis(len(shape))})


def rectangles(fields: LayerFields, indices: Numbers, positions: Numbers) -> Numbers:
    """What each example's position sees: (kinds, units, count, 4), -1 where there is no example."""
    units = np.broadcast_to(np.arange(positions.shape[1])[None, :, None], positions.shape)
    return np.where(indices[..., None] < 0, -1, fields.clipped(units, positions))


def field_notes(fields: Mapping[str, LayerFields]) -> tuple[str, ...]:
    """A note on the layers whose receptive fields are not known."""
    unknown = [layer for layer, each in fields.items() if each.dependence is None]
    return (f"receptive fields are not known exactly, so whole images are shown: {', '.join(unknown)}",) * bool(unknown)
