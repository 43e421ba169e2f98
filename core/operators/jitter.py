"""A shift by whole pixels: what leaves on one side comes back on the other."""

from dataclasses import dataclass

from ..arrays import Array, namespace
from .operator import Operator

__all__ = ["Jitter"]


@dataclass(frozen=True)
class Jitter(Operator):
    """y[i, j] = x[i - down, j - right], indices modulo the size (Mordvintsev et al. 2015 dream with it)."""

    down: int
    right: int

    def apply(self, x: Array) -> Array:
        """(..., H, W), shifted."""
        return namespace(x).roll(x, (self.down, self.right), axis=(-2, -1))

    def adjoint(self, y: Array) -> Array:
        """(..., H, W), shifted back: a permutation's adjoint is its inverse."""
        return namespace(y).roll(y, (-self.down, -self.right), axis=(-2, -1))

    def inverse(self, y: Array) -> Array:
        """(..., H, W), shifted back."""
        return self.adjoint(y)
