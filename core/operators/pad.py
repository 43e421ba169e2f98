"""A border of one colour."""

from dataclasses import dataclass

from array_api_compat import device

from ..arrays import Array, namespace
from .operator import Operator

__all__ = ["Pad"]


@dataclass(frozen=True)
class Pad(Operator):
    """`margin` pixels on each side, all of `value` (mid-grey by default); affine, b is the border."""

    margin: int
    value: float = 0.5

    def apply(self, x: Array) -> Array:
        """(..., H, W) to (..., H + 2 margin, W + 2 margin)."""
        height, width = x.shape[-2:]
        shape = (*x.shape[:-2], height + 2 * self.margin, width + 2 * self.margin)
        y = namespace(x).full(shape, self.value, dtype=x.dtype, device=device(x))
        y[..., self.margin : self.margin + height, self.margin : self.margin + width] = x
        return y

    def adjoint(self, y: Array) -> Array:
        """(..., H + 2 margin, W + 2 margin) to (..., H, W): what falls on the border is lost."""
        return self.inverse(y)

    def inverse(self, y: Array) -> Array:
        """The picture inside the border."""
        height, width = y.shape[-2:]
        return y[..., self.margin : height - self.margin, self.margin : width - self.margin]
