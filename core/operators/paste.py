"""A patch pasted into pictures: shifted, turned and scaled, under a mask with a smooth edge."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, cos, floor, radians, sin
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import ImageError, ParameterError
from .operator import Operator, Size, check_size

__all__ = ["SHAPES", "Paste", "Placement", "patch_mask"]

Numbers = np.ndarray[Any, Any]
SHAPES = ("circle", "square")
"""Of a patch's mask: the disc in its square, or all of it."""


@dataclass(frozen=True)
class Placement:
    """Where a patch lies in a picture, in pixels from the picture's upper left corner: pixel centres at halves."""

    row: float
    """Of the patch's middle."""
    column: float
    degrees: float = 0.0
    """Anticlockwise about the patch's middle."""
    scale: float = 1.0
    """Pixels of the picture for one of the patch."""

    def reach(self, size: tuple[float, float], shape: str) -> tuple[float, float]:
        """How far the patch reaches from its middle, (rows, columns) in pixels of the picture."""
        height, width = (self.scale * side / 2 for side in size)
        if shape == "circle":
            return height, width
        c, s = abs(cos(radians(self.degrees))), abs(sin(radians(self.degrees)))
        return c * height + s * width, s * height + c * width


@dataclass(frozen=True)
class _Block:
    """The rectangle of one picture that a patch covers, and what each of its P pixels reads of the patch."""

    rows: slice
    columns: slice
    mask: Numbers
    """(rows, columns): the share of each pixel that the patch covers, 0 to 1."""
    index: Numbers
    """(P, taps): pixels of the flat patch."""
    weight: Numbers
    """(P, taps), in sum 1."""


@dataclass(frozen=True)
class Paste(Operator):
    """x (C, h, w) to pictures (N, C, H, W): (1 - m) picture + m W x, one placement for each picture.

    W reads the patch bilinearly, and where it is drawn smaller through a triangle as wide as a pixel of the picture, as
    `Resize` does; beyond the outermost pixel centres it reads the outermost pixel. The mask m falls from 1 to 0 across
    one pixel around the edge. Parts outside the picture are cut off. Affine in x; the constant is (1 - m) picture.

    Raises:
        ParameterError: another shape, no placement for each picture, a scale that is not above 0, or a circle in a
            patch that is not square.
    """

    pictures: Array
    placements: Sequence[Placement]
    size: Size
    """(h, w) of the patch."""
    shape: str = "circle"

    def __post_init__(self) -> None:
        if self.shape not in SHAPES or (self.shape == "circle" and self.size[0] != self.size[1]):
            raise ParameterError(f"a patch of {self.size} pixels is no {self.shape!r}; shapes: {', '.join(SHAPES)}")
        if len(self.placements) != self.pictures.shape[0]:
            raise ParameterError(
                f"{len(self.placements)} placements for {self.pictures.shape[0]} pictures; give one each"
            )
        if any(not each.scale > 0 for each in self.placements):
            raise ParameterError("a placement's scale must be above 0")

    @cached_property
    def _blocks(self) -> tuple[tuple[int, _Block], ...]:
        """Of the pictures that the patch reaches, with their number."""
        size = self.pictures.shape[-2], self.pictures.shape[-1]
        found = ((n, _block(each, self.size, self.shape, size)) for n, each in enumerate(self.placements))
        return tuple((n, block) for n, block in found if block is not None)

    def _places(self) -> Iterator[tuple[tuple[Any, ...], _Block]]:
        for n, block in self._blocks:
            yield (n, slice(None), block.rows, block.columns), block

    def apply(self, x: Array) -> Array:
        """(C, h, w) to (N, C, H, W): the pictures with the patch in them.

        Raises:
            ImageError: the patch is of another size, or has other channels than the pictures.
        """
        check_size(self, x, self.size)
        channels = self.pictures.shape[1]
        if tuple(x.shape[:-2]) != (channels,):
            raise ImageError(f"a patch of shape {tuple(x.shape)} for pictures of {channels} channels; give (C, h, w)")
        xp = namespace(x)
        flat = xp.reshape(x, (channels, -1))
        made = xp.asarray(like(self.pictures, x), copy=True)
        for place, block in self._places():
            weight, mask = like(block.weight, x), like(block.mask, x)
            values = xp.zeros((channels, block.mask.size), dtype=x.dtype, device=x.device)
            for tap in range(block.index.shape[1]):
                index = xp.asarray(block.index[:, tap], device=x.device)
                values = values + xp.take(flat, index, axis=1) * weight[:, tap]
            made[place] = (1 - mask) * made[place] + mask * xp.reshape(values, (channels, *block.mask.shape))
        return made

    def adjoint(self, y: Array) -> Array:
        """(N, C, H, W) to (C, h, w), summed in float64 on the host: the array API has no scatter."""
        channels, pixels = y.shape[1], self.size[0] * self.size[1]
        total = np.zeros((channels, pixels))
        for place, block in self._places():
            through = (as_numpy(y[place]) * block.mask).reshape(channels, -1, 1) * block.weight
            for channel in range(channels):
                total[channel] += np.bincount(block.index.ravel(), through[channel].ravel(), pixels)
        return like(total.reshape(channels, *self.size), y)

    def picture_adjoint(self, y: Array) -> Array:
        """(N, C, H, W) to the same: of the gradient at the result, what reaches the pictures, (1 - m) y."""
        made = namespace(y).asarray(y, copy=True)
        for place, block in self._places():
            made[place] = (1 - like(block.mask, y)) * made[place]
        return made


def patch_mask(size: Size, shape: str) -> Numbers:
    """(h, w), float64: the patch's own mask, where it lies without a turn at its own size."""
    block = _block(Placement(size[0] / 2, size[1] / 2), size, shape, size)
    return np.ones(size) if block is None else block.mask


def _block(placement: Placement, size: Size, shape: str, picture: Size) -> _Block | None:
    """What a patch of `size` covers of a picture; None where it lies outside."""
    reach = placement.reach(size, shape)
    middle = placement.row, placement.column
    rows, columns = (
        slice(max(0, floor(at - far - 1)), min(n, ceil(at + far + 1)))
        for at, far, n in zip(middle, reach, picture, strict=True)
    )
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    y = np.arange(rows.start, rows.stop)[:, None] + 0.5 - placement.row
    x = np.arange(columns.start, columns.stop)[None, :] + 0.5 - placement.column
    c, s = cos(radians(placement.degrees)), sin(radians(placement.degrees))
    down, right = c * y + s * x, c * x - s * y
    height, width = (placement.scale * side for side in size)
    if shape == "circle":
        mask = _inside(height / 2, np.hypot(down, right))
    else:
        mask = _inside(height / 2, np.abs(down)) * _inside(width / 2, np.abs(right))
    (i, of_row), (j, of_column) = (
        _taps(distance.ravel() / placement.scale + (side - 1) / 2, side, max(1.0, 1 / placement.scale))
        for distance, side in ((down, size[0]), (right, size[1]))
    )
    index = i[:, :, None] * size[1] + j[:, None, :]
    weight = of_row[:, :, None] * of_column[:, None, :]
    return _Block(rows, columns, mask, index.reshape(len(index), -1), weight.reshape(len(weight), -1))


def _inside(half: float, distance: Numbers) -> Numbers:
    """The share of a pixel at this distance from the middle that lies within `half`, by a ramp one pixel wide."""
    return np.asarray(np.clip(half - distance + 0.5, 0, 1))


def _taps(position: Numbers, n: int, stretch: float) -> tuple[Numbers, Numbers]:
    """The pixels, of n along an axis, that each of P positions reads, (P, taps), and their weights, in sum 1."""
    centre, far = position.clip(0, n - 1), ceil(stretch)
    index = (np.floor(centre).astype(np.int64) - far + 1)[:, None] + np.arange(2 * far)
    weight = np.clip(1 - np.abs(index - centre[:, None]) / stretch, 0, None)
    weight[(index < 0) | (index >= n)] = 0
    return index.clip(0, n - 1), weight / weight.sum(axis=1, keepdims=True)
