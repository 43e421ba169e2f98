"""A network's own preprocessing as an operator: one affine map per channel (see `crosslens.Preprocess`)."""

from dataclasses import dataclass

from ..arrays import Array, like, namespace
from ..model.preprocessing import Preprocess
from .operator import Operator

__all__ = ["Normalise"]


@dataclass(frozen=True)
class Normalise(Operator):
    """y = gain * x[:, order] + offset for images (N, C, H, W); affine, so the adjoint leaves the offset out."""

    preprocess: Preprocess

    def _affine(self, x: Array) -> tuple[Array, Array]:
        gain, offset = self.preprocess.along(x)
        return like(gain, x), like(offset, x)

    def _reorder_channels(self, x: Array) -> Array:
        return namespace(x).flip(x, axis=1) if self.preprocess.reverses else x

    def apply(self, x: Array) -> Array:
        """From [0, 1], RGB, to the network's unit and channel order."""
        gain, offset = self._affine(x)
        return gain * self._reorder_channels(x) + offset

    def adjoint(self, y: Array) -> Array:
        """From a gradient in the network's unit to one with respect to the RGB image."""
        gain, _ = self._affine(y)
        return self._reorder_channels(gain * y)

    def inverse(self, y: Array) -> Array:
        """Back from the network's unit to [0, 1]."""
        gain, offset = self._affine(y)
        return self._reorder_channels((y - offset) / gain)
