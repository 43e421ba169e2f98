"""Padding, resizing and cropping in one operator: what the crop leaves out is never computed."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Array, interpolation, like, namespace
from .operator import Operator, Size, check_size

__all__ = ["PadResizeCrop"]

_resampling = lru_cache(maxsize=8)(interpolation)
"""Shared, never changed: an operator's way there, its way back and its other axis mostly want the same one."""


@dataclass(frozen=True)
class PadResizeCrop(Operator):
    """`Pad(margin, value)`, `Resize` to `to`, and of that the window of the picture's `size` at `corner`; affine.

    y = R (x - value) C' + value, R and C the parts of the interpolation matrices that the picture meets: a border of
    zeros adds nothing. Agrees with the three one after the other (tests/core/synthesis/test_transforms.py).
    """

    size: Size
    margin: int
    to: Size
    corner: tuple[int, int]
    value: float = 0.5

    def _inner_matrix(self, axis: int) -> np.ndarray[Any, Any]:
        """The part of the interpolation matrix between the picture and the crop."""
        size, start = self.size[axis], self.corner[axis]
        whole = _resampling(size + 2 * self.margin, self.to[axis])
        return whole[start : start + size, self.margin : self.margin + size]

    def apply(self, x: Array) -> Array:
        """(..., H, W) to (..., H, W).

        Raises:
            ImageError: `x` is not of `size`.
        """
        check_size(self, x, self.size)
        rows, columns = like(self._inner_matrix(0), x), like(self._inner_matrix(1), x)
        return rows @ (x - self.value) @ namespace(x).matrix_transpose(columns) + self.value

    def adjoint(self, y: Array) -> Array:
        """(..., H, W) to (..., H, W): what falls on the border is lost."""
        check_size(self, y, self.size)
        return namespace(y).matrix_transpose(like(self._inner_matrix(0), y)) @ y @ like(self._inner_matrix(1), y)
