"""Random views of a picture: the expectation over transformations (Athalye et al., 2018, https://arxiv.org/abs/1707.07397)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array
from ..operators import Operator
from ..synthesis.transforms import RandomTransform

__all__ = ["Views"]


@dataclass(frozen=True)
class Views:
    """How many random views a gradient is the mean over, and what they are drawn from."""

    transform: RandomTransform
    count: int
    seed: int = 0

    def draw(self, x: Array, done: "np.ndarray[Any, Any]") -> Iterator[Operator]:
        """The views of one step; they depend on the seed and on the gradients taken before, not on the pictures.

        Args:
            x: pictures (n, C, H, W).
            done: (n,): the gradients taken of each before; all images of an attack take the same steps.
        """
        step = int(done.max()) // self.count if len(done) else 0
        for view in range(self.count):
            operator, _ = self.transform.draw(
                (x.shape[-2], x.shape[-1]), np.random.default_rng([self.seed, step, view])
            )
            yield operator
