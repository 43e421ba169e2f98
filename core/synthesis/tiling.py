"""Pictures larger than the network takes, divided into tiles: gradients tile by tile, so that memory stays bounded."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..model.base import INPUT, Model
from ..objective import Objective, pullback
from ..operators import Crop, Size

__all__ = ["Tile", "covering_tiles", "divide_by_mean_magnitude", "overlapping_tiles", "tiled_gradient"]

EVEN = 32
"""Tiles but the last begin at multiples of so many pixels, so that the strides of most networks fall together."""


def covering_tiles(size: Size, tile: Size) -> Iterator[Crop]:
    """As few tiles as cover a picture of `size`, evenly spread, overlapping where they must.

    >>> [crop.corner for crop in covering_tiles((4, 10), (4, 6))]
    [(0, 0), (0, 4)]
    """
    tops, lefts = (
        np.rint(np.linspace(0, n - w, ceil(n / w))).astype(int).tolist() for n, w in zip(size, tile, strict=True)
    )
    return (Crop(size, tile, (top, left)) for top in tops for left in lefts)


@dataclass(frozen=True)
class Tile:
    """A tile of a picture, and which of its pixels are its own where neighbours overlap."""

    crop: Crop
    rows: tuple[int, int]
    """First of its own, and first after them, counted in the tile."""
    columns: tuple[int, int]

    def owns(self, size: Size) -> np.ndarray[Any, Any]:
        """(h, w), float32: 1 where the middle of a position of maps of this size lies among its own pixels."""
        ends = zip((self.rows, self.columns), self.crop.to, size, strict=True)
        rows, columns = (
            (first <= (m := (np.arange(n) + 0.5) * (pixels / n))) & (m < after) for (first, after), pixels, n in ends
        )
        return np.asarray(rows[:, None] & columns[None, :], np.float32)

    def within(self, size: Size) -> "Tile":
        """The part of it that lies in a smaller picture with the same corner."""
        corner, own = self.crop.corner, (self.rows, self.columns)
        height, width = (min(n, all_ - start) for n, all_, start in zip(self.crop.to, size, corner, strict=True))
        rows, columns = ((a, min(b, n)) for (a, b), n in zip(own, (height, width), strict=True))
        return Tile(Crop(size, (height, width), corner), rows, columns)

    def window(self, ramp: float) -> np.ndarray[Any, Any]:
        """(H, W) of the tile, float32: weights that add up to 1 over all tiles, the change from tile to tile linear.

        Args:
            ramp: pixels within which a neighbour takes over, the end of the tile's own ones in their middle; where it
                is at most the tiles' overlap, no weight lies outside a tile.
        """
        places = zip(self.crop.corner, self.crop.to, self.crop.size, (self.rows, self.columns), strict=True)
        rows, columns = (_ramps(*place, ramp) for place in places)
        return np.asarray(rows[:, None] * columns[None, :], np.float32)


def overlapping_tiles(size: Size, tile: Size, overlap: float) -> list[Tile]:
    """Tiles that cover a picture and overlap by at least this share of their side; each pixel is one tile's own.

    >>> [(w.crop.corner, w.rows, w.columns) for w in overlapping_tiles((4, 100), (4, 64), 0.25)]
    [((0, 0), (0, 4), (0, 50)), ((0, 36), (0, 4), (14, 64))]
    """
    rows, columns = (_spread(n, w, overlap) for n, w in zip(size, tile, strict=True))
    return [Tile(Crop(size, tile, (y, x)), own, beside) for y, own in rows for x, beside in columns]


def _spread(n: int, tile: int, overlap: float) -> list[tuple[int, tuple[int, int]]]:
    """Where tiles begin along an axis, and which of their pixels are their own."""
    last, furthest = n - tile, max(1, int((1 - overlap) * tile))
    step = furthest // EVEN * EVEN or furthest
    starts = [k * step for k in range(1 + ceil(max(last - furthest, 0) / step))] + [last] * (last > 0)
    middles = [(before + tile + after) // 2 for before, after in pairwise(starts)]
    ends = zip(starts, [0, *middles], [*middles, n], strict=True)
    return [(start, (first - start, after - start)) for start, first, after in ends]


def _ramps(start: int, tile: int, n: int, own: tuple[int, int], ramp: float) -> np.ndarray[Any, Any]:
    """Weights along an axis: they rise where its own pixels begin and fall where these end; 1 at a picture's border."""
    middles = np.arange(tile) + 0.5
    begin, end = (np.clip((middles - edge) / ramp + 0.5, 0, 1) for edge in own)
    begin = begin if start + own[0] > 0 else np.ones(tile)
    return np.asarray(begin - (end if start + own[1] < n else np.zeros(tile)))


def tiled_gradient(model: Model, images: Array, objective: Objective, tile: int) -> tuple[Array, Array]:
    """The gradient of an objective on all tiles of images, where tiles overlap their mean; and its mean value.

    Args:
        model: one of a fixed size has tiles of that size, any other of at most `tile` pixels a side.
        images: (N, C, H, W) of any size; one smaller than a tile lies in the middle of mid-grey.
        objective: what the network is asked for at each tile.
        tile: in pixels; bounds the memory.

    Returns:
        (N, C, H, W), and (N,): the mean over tiles.
    """
    size = images.shape[-2], images.shape[-1]
    height, width = (fixed or min(n, tile) for fixed, n in zip(model.input.shape[1:], size, strict=True))
    canvas = max(size[0], height), max(size[1], width)
    inside = Crop.centre(canvas, size)
    whole = inside.adjoint(images - 0.5) + 0.5
    total, count, values = namespace(whole).zeros_like(whole), np.zeros(canvas), []
    for crop in covering_tiles(canvas, (height, width)):
        pull, value = pullback(model, crop.apply(whole), objective)
        total = total + crop.adjoint(like(pull.gradients[INPUT], whole))
        count += crop.adjoint(np.ones(crop.to))
        values.append(like(value, whole))
    return inside.apply(total / like(count, whole)), sum(values[1:], values[0]) / len(values)


def divide_by_mean_magnitude(x: Array) -> Array:
    """x / mean |x| of each picture (N, C, H, W): gradients of any strength become steps of one length; zeros stay."""
    xp = namespace(x)
    return x / (xp.mean(xp.abs(x), axis=(1, 2, 3), keepdims=True) + 1e-12)
