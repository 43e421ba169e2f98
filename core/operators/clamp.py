"""Two ways to keep pixels in [0, 1], by a sigmoid or by clipping: differentiable, not linear."""

from dataclasses import dataclass

from ..arrays import Array, namespace
from .operator import VJP, Differentiable

__all__ = ["Clip", "Sigmoid"]


class Sigmoid(Differentiable):
    """y = 1 / (1 + exp(-x)), written as (1 + tanh(x / 2)) / 2, which cannot overflow; dx = y (1 - y) dy."""

    nearest = 1e-3
    """A pixel at 0 or 1 lies at infinity: `inverse` moves it inside by this much."""

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The result, and the gradient's way back."""
        y = 0.5 * (1.0 + namespace(x).tanh(0.5 * x))
        return y, lambda dy: dy * y * (1.0 - y)

    def inverse(self, y: Array) -> Array:
        """log(y / (1 - y)), pixels first moved into [0.001, 0.999]."""
        xp = namespace(y)
        inside = xp.clip(y, self.nearest, 1.0 - self.nearest)
        return xp.log(inside) - xp.log1p(-inside)


@dataclass(frozen=True)
class Clip(Differentiable):
    """y = min(max(z, low), high), z = gain x + offset; dx = gain dy where low <= z <= high, else 0."""

    low: float = 0.0
    high: float = 1.0
    gain: float = 1.0
    offset: float = 0.0

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The result, and the gradient's way back."""
        xp, z = namespace(x), self.gain * x + self.offset
        inside = (z >= self.low) & (z <= self.high)
        return xp.clip(z, self.low, self.high), lambda dy: xp.where(inside, self.gain * dy, xp.zeros_like(dy))

    def inverse(self, y: Array) -> Array:
        """(y - offset) / gain."""
        return (y - self.offset) / self.gain
