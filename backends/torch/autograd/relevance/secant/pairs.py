"""A batch of images, then as many references: the differences between the halves of any tensor computed from it."""

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Pairs"]


@dataclass(frozen=True)
class Pairs:
    """The pairs in a batch of `rows` images and references."""

    rows: int

    def axis(self, x: Tensor) -> int:
        """The axis of the batch: the first that holds a multiple of the batch's rows."""
        return next((axis for axis, size in enumerate(x.shape) if size and size % self.rows == 0), 0)

    def halves(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the images, and that of the references."""
        axis = self.axis(x)
        half = x.shape[axis] // 2
        return x.narrow(axis, 0, half), x.narrow(axis, half, half)

    def joined(self, first: Tensor, second: Tensor, like: Tensor) -> Tensor:
        """The two halves as one tensor."""
        return torch.cat([first, second], dim=self.axis(like))

    def difference(self, x: Tensor) -> Tensor:
        """x - x' at both halves."""
        first, second = self.halves(x)
        difference = first - second
        return self.joined(difference, difference, x)

    def mean(self, x: Tensor) -> Tensor:
        """(x + x') / 2 at both halves."""
        first, second = self.halves(x)
        mean = (first + second) / 2
        return self.joined(mean, mean, x)

    def times(self, values: Tensor, factor: Tensor) -> Tensor:
        """Values times a factor that both halves have."""
        axis = self.axis(values)
        product = torch.empty_like(values)
        for part, result in zip(self.halves(values), product.chunk(2, axis), strict=True):
            torch.mul(part, factor, out=result)
        return product
