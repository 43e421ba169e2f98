"""Discrepancy maps: how much a unit's activation changes where an occluder covers the picture (Zhou et al. 2015)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.model import Model
from crosslens.model.reduction import positions_first
from crosslens.occlusion import occluded
from crosslens.receptive import Rectangle

__all__ = ["Occluder", "centred_mean", "discrepancy_map"]

Values = np.ndarray[Any, Any]
MOST_WINDOWS = 900
"""Windows of one picture, where the stride is not given."""
STRIDE = 3
"""Pixels between windows in the paper."""


@dataclass(frozen=True)
class Occluder:
    """A square of random pixels that is slid over a picture."""

    window: int
    stride: int | None
    """None: 3, as in the paper, or more where that would be over `MOST_WINDOWS` windows."""
    seed: int

    def starts(self, field: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[Values, Values]:
        """First rows and first columns of the windows that touch a field (top, left, bottom, right), at its edges too.

        They may begin before the picture, so that its edge is covered as often as the rest.
        """
        top, left, bottom, right = field
        spans = [(top - self.window + 1, bottom), (left - self.window + 1, right)]
        least = max(1, ceil(sqrt((spans[0][1] - spans[0][0]) * (spans[1][1] - spans[1][0]) / MOST_WINDOWS)))
        step = self.stride or max(STRIDE, least)
        rows, columns = (np.arange(start, stop + step - 1, step) for start, stop in spans)
        return rows[rows < size[0]], columns[columns < size[1]]

    def cover(self, like: Array, bounds: tuple[float, float]) -> Array:
        """Random pixels, of the shape of one picture (1, C, H, W)."""
        rng = np.random.default_rng(self.seed)
        return rng.uniform(*bounds, like.shape).astype(np.float32)


def discrepancy_map(
    model: Model, layer: str, image: Array, unit: int, position: int, field: Rectangle | None, occluder: Occluder
) -> Values:
    """The change of a unit's activation for a window centred at each pixel, (H, W), linear between windows.

    Where no window touches the unit's receptive field there is none: it is 0 by arithmetic.

    Args:
        model: the network.
        layer: its name.
        image: (1, C, H, W).
        unit: which one.
        position: of the unit, counted row by row.
        field: its receptive field; None for the whole picture.
        occluder: what is slid.
    """
    height, width = int(image.shape[2]), int(image.shape[3])
    whole = field is None or field.known != "arithmetic"
    box = (0, 0, height, width) if whole or field is None else (field.top, field.left, field.bottom, field.right)
    rows, columns = occluder.starts(box, (height, width))
    boxes = np.array(
        [
            (max(r, 0), min(r + occluder.window, height), max(c, 0), min(c + occluder.window, width))
            for r in rows.tolist()
            for c in columns.tolist()
        ]
    )
    plain = _value(as_numpy(model.forward(image, [layer])[layer]), unit, position)[0]
    changes = np.zeros(len(boxes))
    for places, activations in occluded(
        model, image, occluder.cover(image, model.input.bounds or (0, 1)), boxes, [layer]
    ):
        changes[list(places)] = np.abs(_value(as_numpy(activations[layer]), unit, position) - plain)
    middle = (occluder.window - 1) / 2
    return _between(changes.reshape(len(rows), len(columns)), rows + middle, columns + middle, (height, width))


def _value(activations: Values, unit: int, position: int) -> Values:
    return positions_first(activations)[:, position, unit].astype(np.float64)


def _between(values: Values, rows: Values, columns: Values, size: tuple[int, int]) -> Values:
    """Values on a grid as a value for each pixel, linearly, and 0 one step beyond the grid."""
    for axis, (places, count) in enumerate(zip((rows, columns), size, strict=True)):
        step = places[1] - places[0] if len(places) > 1 else 1.0
        wide = np.concatenate([[places[0] - step], places, [places[-1] + step]])
        padded = np.pad(np.moveaxis(values, axis, 0), ((1, 1), (0, 0)))
        pixels = np.arange(count)
        above = np.clip(np.searchsorted(wide, pixels, side="right"), 1, len(wide) - 1)
        share = np.clip((pixels - wide[above - 1]) / (wide[above] - wide[above - 1]), 0, 1)[:, None]
        mixed = padded[above - 1] * (1 - share) + padded[above] * share
        inside = ((pixels >= wide[0]) & (pixels <= wide[-1]))[:, None]
        values = np.moveaxis(np.where(inside, mixed, 0), 0, axis)
    return values


def centred_mean(maps: Sequence[Values], centres: Sequence[tuple[float, float]]) -> Values:
    """Maps (H, W), each moved so that its centre lies in the middle of (2 H - 1, 2 W - 1), averaged where they are."""
    height, width = maps[0].shape
    total, count = np.zeros((2 * height - 1, 2 * width - 1)), np.zeros((2 * height - 1, 2 * width - 1))
    for values, (row, column) in zip(maps, centres, strict=True):
        top = height - 1 - min(max(round(row), 0), height - 1)
        left = width - 1 - min(max(round(column), 0), width - 1)
        total[top : top + height, left : left + width] += values
        count[top : top + height, left : left + width] += 1
    return total / np.maximum(count, 1)
