"""Feature maps that differ from known ones in one rectangle for each box, and crops of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from array_api_compat import device

from ..arrays import Array, namespace
from .receptive_field import Intervals, Ints, Rectangles

__all__ = ["PatchedMaps", "occluded_image"]

Slices = tuple[slice, slice]
"""Of rows and of columns."""


@dataclass(frozen=True)
class PatchedMaps:
    """The map of the unoccluded image, and for each box the rectangle of it that changed.

    `unchanged` is (1, C, H, W) and `patches` (P, C, h, w); with `row_axis` 1, (1, H, W, C) and (P, h, w, C).
    """

    unchanged: Array
    patches: Array
    rectangles: Rectangles
    row_axis: int = 2

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        height, width = self.unchanged.shape[self.row_axis : self.row_axis + 2]
        return int(height), int(width)

    def crop(self, at: Rectangles, fill: float = 0.0) -> Array:
        """The changed map in these rectangles, (P, C, rows, columns), to be read only; `fill` beyond the map."""
        if _equal(at.rows, self.rectangles.rows) and _equal(at.columns, self.rectangles.columns):
            return self.patches
        crops = _empty(self.unchanged, (len(at.rows.starts), *self._crop_shape(at)))
        if any(_reaches_beyond(side, n) for side, n in zip(at, self.size, strict=True)):
            crops[...] = fill
        before = (slice(None),) * (self.row_axis - 1)
        each = zip(self._overlap_with_map(at), self._overlap_with_patches(at), strict=True)
        for p, ((to, source), (patch_to, patch_source)) in enumerate(each):
            if to != patch_to:  # else the patch hides all of the unchanged map
                crops[(p, *before, *to)] = self.unchanged[(0, *before, *source)]
            crops[(p, *before, *patch_to)] = self.patches[(p, *before, *patch_source)]
        return crops

    def whole(self) -> Array:
        """The changed maps, (P, C, H, W), to be read only."""
        zeros = np.zeros(len(self.rectangles.rows.starts), np.int64)
        return self.crop(Rectangles(Intervals(zeros, self.size[0]), Intervals(zeros, self.size[1])))

    def _overlap_with_map(self, at: Rectangles) -> Iterator[tuple[Slices, Slices]]:
        zeros = [0] * len(at.rows.starts)
        return _by_box(*(_overlaps(side, zeros, n) for side, n in zip(at, self.size, strict=True)))

    def _overlap_with_patches(self, at: Rectangles) -> Iterator[tuple[Slices, Slices]]:
        sides = zip(at, self.rectangles, strict=True)
        return _by_box(*(_overlaps(side, patch.starts.tolist(), patch.size) for side, patch in sides))

    def _crop_shape(self, at: Rectangles) -> tuple[int, ...]:
        shape = list(self.unchanged.shape[1:])
        shape[self.row_axis - 1 : self.row_axis + 1] = [at.rows.size, at.columns.size]
        return tuple(shape)


def occluded_image(x: Array, cover: Array, boxes: Ints, rectangles: Rectangles) -> PatchedMaps:
    """The image with each of the boxes covered.

    Args:
        x: the image, (1, C, H, W).
        cover: what is seen in a box, (1, C, H, W).
        boxes: (P, 4): top, bottom, left, right.
        rectangles: contain the boxes; where one is larger, the image is seen around its box.
    """
    xp = namespace(x)
    patches = []
    for p, (top, bottom, left, right) in enumerate(boxes.tolist()):
        y, x0 = int(rectangles.rows.starts[p]), int(rectangles.columns.starts[p])
        patch = xp.asarray(x[0, :, y : y + rectangles.rows.size, x0 : x0 + rectangles.columns.size], copy=True)
        patch[:, top - y : bottom - y, left - x0 : right - x0] = cover[0, :, top:bottom, left:right]
        patches.append(patch)
    return PatchedMaps(x, xp.stack(patches), rectangles)


def _by_box(
    rows: Sequence[tuple[slice, slice]], columns: Sequence[tuple[slice, slice]]
) -> Iterator[tuple[Slices, Slices]]:
    """For each box, the rows and columns of its crop, and those of the piece that is copied there."""
    for (to_rows, from_rows), (to_columns, from_columns) in zip(rows, columns, strict=True):
        yield (to_rows, to_columns), (from_rows, from_columns)


def _overlaps(crops: Intervals, starts: Sequence[int], size: int) -> list[tuple[slice, slice]]:
    """Along one axis, where each crop and the piece at its start overlap, in positions of the crop and of the piece."""
    overlaps = []
    for crop, piece in zip(crops.starts.tolist(), starts, strict=True):
        start = max(crop, piece)
        stop = max(min(crop + crops.size, piece + size), start)
        overlaps.append((slice(start - crop, stop - crop), slice(start - piece, stop - piece)))
    return overlaps


def _equal(a: Intervals, b: Intervals) -> bool:
    return a.size == b.size and bool((a.starts == b.starts).all())


def _reaches_beyond(intervals: Intervals, length: int) -> bool:
    return bool(intervals.starts.min() < 0 or intervals.stops.max() > length)


def _empty(like: Array, shape: tuple[int, ...]) -> Array:
    if isinstance(like, np.ndarray):
        return np.empty_like(like, shape=shape)  # keeps the order of the axes in memory
    return namespace(like).empty(shape, dtype=like.dtype, device=device(like))
