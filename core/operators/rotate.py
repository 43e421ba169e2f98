"""A turn about the picture's middle, bilinear."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from array_api_compat import device

from ..arrays import Array, like, namespace
from .operator import Operator, Size

__all__ = ["Rotate"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Rotate(Operator):
    """Anticlockwise by `degrees` about the middle, at the same size; what comes in from outside is `value`, mid-grey.

    Each pixel reads the four that surround the place it came from. The adjoint gathers too, without a scatter: a pixel
    is read only by those within a turned square of side 2 around the place it goes to, all of them among 3 x 3.
    """

    degrees: float
    value: float = 0.5

    def _turned(self, places: Numbers, size: Size, sign: float) -> Numbers:
        """Places (2, P) as (y, x), turned about the middle of a picture of `size`."""
        angle = sign * np.deg2rad(self.degrees)
        middle = (np.asarray(size)[:, None] - 1) / 2
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        return np.asarray(turn @ (places - middle) + middle)

    def apply(self, x: Array) -> Array:
        """(..., H, W), turned."""
        size = x.shape[-2], x.shape[-1]
        source = self._turned(_places(size), size, 1.0)
        corner = np.floor(source)
        reads = [corner + np.array(offset)[:, None] for offset in product((0, 1), repeat=2)]
        return _gathered(x - self.value, reads, [_overlap(source - read) for read in reads]) + self.value

    def adjoint(self, y: Array) -> Array:
        """(..., H, W): each pixel adds up what the pixels that read it bring, times the same weights."""
        size = y.shape[-2], y.shape[-1]
        own = _places(size)
        nearest = np.rint(self._turned(own, size, -1.0))
        readers = [nearest + np.array(offset)[:, None] for offset in product((-1, 0, 1), repeat=2)]
        return _gathered(y, readers, [_overlap(self._turned(reader, size, 1.0) - own) for reader in readers])


def _places(size: Size) -> Numbers:
    """(2, H W): row and column of each pixel."""
    return np.stack([axis.ravel() for axis in np.mgrid[: size[0], : size[1]]]).astype(np.float64)


def _overlap(distance: Numbers) -> Numbers:
    """Bilinear weights (P,) of distances (2, P) along both axes."""
    return np.asarray(np.clip(1 - np.abs(distance), 0, None).prod(axis=0))


def _gathered(x: Array, places: list[Numbers], weights: list[Numbers]) -> Array:
    """The sum over k of weights[k] times the pixels at places[k]; nothing lies outside."""
    xp, (height, width) = namespace(x), x.shape[-2:]
    flat = xp.reshape(x, (-1, height * width))
    total = xp.zeros_like(flat)
    for (row, column), weight in zip(places, weights, strict=True):
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = np.where(inside, row * width + column, 0).astype(np.int64)
        total = total + xp.take(flat, xp.asarray(index, device=device(x)), axis=1) * like(weight * inside, x)
    return xp.reshape(total, x.shape)
