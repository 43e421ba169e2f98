"""A part that all pictures of a batch share (Mordvintsev et al. 2018, "Differentiable image parameterizations")."""

from dataclasses import dataclass

from ..arrays import Array, namespace
from .operator import Operator, Size
from .resize import Resize

__all__ = ["SharedPart"]


@dataclass(frozen=True)
class SharedPart(Operator):
    """Pictures (N + 1, C, H, W) to (N, C, H, W): the last one, made as coarse as `to` pixels, is added to each other.

    What is coarse then comes to lie alike in all of them ("aligned interpolation").
    """

    size: Size
    to: Size

    @property
    def _coarse(self) -> Operator:
        return Resize(self.size, self.to) >> Resize(self.to, self.size)  # type: ignore[return-value]

    def apply(self, x: Array) -> Array:
        """(N + 1, C, H, W) to (N, C, H, W)."""
        return x[:-1, ...] + self._coarse.apply(x[-1:, ...])

    def adjoint(self, y: Array) -> Array:
        """(N, C, H, W) to (N + 1, C, H, W): what is shared gets the sum over the batch."""
        xp = namespace(y)
        return xp.concat([y, self._coarse.adjoint(xp.sum(y, axis=0, keepdims=True))], axis=0)

    def inverse(self, y: Array) -> Array:
        """The pictures themselves, nothing shared."""
        xp = namespace(y)
        return xp.concat([y, xp.zeros_like(y[:1, ...])], axis=0)
