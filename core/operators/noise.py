"""Noise laid over a picture, drawn once from a seed: the same on every backend."""

from dataclasses import dataclass

import numpy as np

from ..arrays import Array, like
from .operator import Operator

__all__ = ["Noise"]


@dataclass(frozen=True)
class Noise(Operator):
    """x + deviation * n, n normal; affine, b is the noise, and the same for each picture of a batch."""

    deviation: float
    seed: int

    def _noise(self, x: Array) -> Array:
        normal = np.random.default_rng(self.seed).standard_normal((1, *x.shape[1:]), np.float32)
        return like(self.deviation * normal, x)

    def apply(self, x: Array) -> Array:
        """(N, C, H, W), noisy; values may leave [0, 1]."""
        return x + self._noise(x)

    def adjoint(self, y: Array) -> Array:
        """`y` itself."""
        return y

    def inverse(self, y: Array) -> Array:
        """Without the noise."""
        return y - self._noise(y)
