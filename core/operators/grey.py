"""Colour pictures as a network in grey takes them."""

from dataclasses import dataclass

from ..arrays import Array, like, namespace
from .operator import Operator

__all__ = ["Grey"]

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, with which Pillow converts to "L"."""


@dataclass(frozen=True)
class Grey(Operator):
    """(N, 3, H, W) to (N, 1, H, W): 0.299 R + 0.587 G + 0.114 B, as `crosslens.load_image` makes colours grey."""

    def apply(self, x: Array) -> Array:
        """The weighted sum of red, green and blue."""
        return namespace(x).sum(x * self._weights(x), axis=1, keepdims=True)

    def adjoint(self, y: Array) -> Array:
        """(N, 1, H, W) to (N, 3, H, W)."""
        return y * self._weights(y)

    def _weights(self, x: Array) -> Array:
        return like(_LUMA, x)[None, :, None, None]
