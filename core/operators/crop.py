"""A window cut out of a picture."""

from dataclasses import dataclass

from array_api_compat import device

from ..arrays import Array, namespace
from ..errors import ImageError
from .operator import Operator, Size, check_size

__all__ = ["Crop"]


@dataclass(frozen=True)
class Crop(Operator):
    """The window of `to` pixels with its corner at (top, left), from pictures of `size`.

    Raises:
        ImageError: the window does not lie within `size`.
    """

    size: Size
    to: Size
    corner: tuple[int, int]

    def __post_init__(self) -> None:
        inside = all(c >= 0 and c + t <= s for c, t, s in zip(self.corner, self.to, self.size, strict=True))
        if not inside:
            raise ImageError(f"a window of {self.to} pixels at {self.corner} does not lie within {self.size}")

    @classmethod
    def centre(cls, size: Size, to: Size) -> "Crop":
        """The window in the middle."""
        return cls(size, to, ((size[0] - to[0]) // 2, (size[1] - to[1]) // 2))

    @property
    def _window(self) -> tuple[slice, slice]:
        (top, left), (height, width) = self.corner, self.to
        return slice(top, top + height), slice(left, left + width)

    def apply(self, x: Array) -> Array:
        """(..., H, W) to (..., h, w).

        Raises:
            ImageError: `x` is not of `size`.
        """
        check_size(self, x, self.size)
        return x[..., *self._window]

    def adjoint(self, y: Array) -> Array:
        """(..., h, w) to (..., H, W): zero outside the window."""
        check_size(self, y, self.to)
        x = namespace(y).zeros((*y.shape[:-2], *self.size), dtype=y.dtype, device=device(y))
        x[..., *self._window] = y
        return x
