"""Resizing by one interpolation matrix per axis."""

from dataclasses import dataclass

from ..arrays import Array, interpolation, like, namespace
from .operator import Operator, Size, check_size

__all__ = ["Resize"]


@dataclass(frozen=True)
class Resize(Operator):
    """From `size` to `to`, bilinearly, pixel centres at half-integers, antialiased when shrinking.

    Agrees with torch.nn.functional.interpolate(mode="bilinear", align_corners=False, antialias=True) to 1e-6
    (tests/core/operators/test_operators.py). Flat pictures stay flat: each output pixel is a weighted mean.
    """

    size: Size
    to: Size

    def _matrices(self, x: Array) -> tuple[Array, Array]:
        (height, width), (rows, columns) = self.size, self.to
        return like(interpolation(height, rows), x), like(interpolation(width, columns), x)

    def apply(self, x: Array) -> Array:
        """(..., H, W) to (..., h, w).

        Raises:
            ImageError: `x` is not of `size`.
        """
        check_size(self, x, self.size)
        rows, columns = self._matrices(x)
        return rows @ x @ namespace(x).matrix_transpose(columns)

    def adjoint(self, y: Array) -> Array:
        """(..., h, w) to (..., H, W): the transposed matrices."""
        check_size(self, y, self.to)
        rows, columns = self._matrices(y)
        return namespace(y).matrix_transpose(rows) @ y @ columns
