"""A turn about the picture's middle, bilinear."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import device

from ..arrays import Array, like, namespace
from .operator import Operator, Size

__all__ = ["Rotate"]

Numbers = np.ndarray[Any, Any]
BORDER = 3
"""Pixels of nothing around a picture: what is read further outside, or beside it, is read from there."""


@dataclass(frozen=True)
class Rotate(Operator):
    """Anticlockwise by `degrees` about the middle, at the same size; what comes in from outside is `value`, mid-grey.

    Each pixel reads the four around the position it came from. The adjoint gathers too, without a scatter: a pixel is
    read only by those within a turned square of side 2 around the position it goes to, all of them among 3 x 3.
    """

    degrees: float
    value: float = 0.5

    def _source_positions(self, row: Any, column: Any, size: Size, sign: float = 1.0) -> tuple[Numbers, Numbers]:
        """Positions (row, column) rotated by minus the angle about the middle of `size`; the arrays broadcast."""
        angle, (height, width) = sign * np.deg2rad(self.degrees), size
        y, x = row - (height - 1) / 2, column - (width - 1) / 2
        cos, sin = np.cos(angle), np.sin(angle)
        return cos * y + sin * x + (height - 1) / 2, cos * x - sin * y + (width - 1) / 2

    def apply(self, x: Array) -> Array:
        """(..., H, W), turned."""
        size = x.shape[-2], x.shape[-1]
        row, column = self._source_positions(*_pixel_grid(size), size)
        top, left = np.floor(row), np.floor(column)
        down, right = like(row - top, x), like(column - left, x)
        read = _Reader(x - self.value, top, left)
        above = read(0, 0) * (1 - right) + read(0, 1) * right
        below = read(1, 0) * (1 - right) + read(1, 1) * right
        return above * (1 - down) + below * down + self.value

    def adjoint(self, y: Array) -> Array:
        """(..., H, W): each pixel adds up what the pixels that read it bring, times the same weights."""
        size = y.shape[-2], y.shape[-1]
        own = _pixel_grid(size)
        row, column = (np.rint(positions) for positions in self._source_positions(*own, size, -1.0))
        down, right = (like(a - b, y) for a, b in zip(self._source_positions(row, column, size), own, strict=True))
        read, total = _Reader(y, row, column), namespace(y).zeros_like(y)
        for i in (-1, 0, 1):
            for j in (-1, 0, 1):
                further_down, further_right = (float(n) for n in self._source_positions(i, j, (1, 1)))
                total += read(i, j) * (_overlap(down + further_down) * _overlap(right + further_right))
        return total


class _Reader:
    """The pixels (..., H, W) of a picture at (row + i, column + j), i and j from -1 to 1; nothing lies outside."""

    def __init__(self, x: Array, row: Numbers, column: Numbers) -> None:
        xp, (*lead, height, width) = namespace(x), x.shape
        self._shape, self._stride = x.shape, width + 2 * BORDER
        framed = xp.zeros((*lead, height + 2 * BORDER, self._stride), dtype=x.dtype, device=device(x))
        framed[..., BORDER:-BORDER, BORDER:-BORDER] = x
        self._flat = xp.reshape(framed, (-1, (height + 2 * BORDER) * self._stride))
        positions = _within(row, height) * self._stride + _within(column, width)
        self._positions = xp.asarray(positions.astype(np.int64).ravel(), device=device(x))

    def __call__(self, i: int, j: int) -> Array:
        xp = namespace(self._flat)
        return xp.reshape(xp.take(self._flat, self._positions + (i * self._stride + j), axis=1), self._shape)


def _pixel_grid(size: Size) -> tuple[Numbers, Numbers]:
    """Rows (H, 1) and columns (1, W) of the pixels."""
    return np.arange(float(size[0]))[:, None], np.arange(float(size[1]))[None, :]


def _within(positions: Numbers, n: int) -> Numbers:
    """Positions along an axis of n pixels in the framed one; from -2 and n + 1 on, no neighbour is a pixel."""
    return np.asarray(positions.clip(-2, n + 1) + BORDER)


def _overlap(distance: Array) -> Array:
    """The bilinear weight of a distance along one axis."""
    xp = namespace(distance)
    return xp.clip(1 - xp.abs(distance), min=0)
