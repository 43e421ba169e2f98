"""The noise of crosslens handed to a peer, whose own generator cannot be seeded to give the same.

SmoothGrad of crosslens draws `numpy.random.default_rng(seed).standard_normal` in single precision, sample after sample,
the same for each image. Here a peer's generator is replaced by one that gives these numbers in the peer's order.
"""

from typing import Any

import numpy as np


class Draws:
    """A stream of standard normal images (C, H, W), from the start again after `rewind`."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.rewind()

    def rewind(self) -> None:
        self.rng = np.random.default_rng(0)

    def take(self, count: int) -> np.ndarray[Any, Any]:
        """The next ones, (count, C, H, W)."""
        return self.rng.standard_normal((count, *self.shape), dtype=np.float32)
