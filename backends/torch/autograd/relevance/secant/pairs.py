"""A batch of images, then as many references: the differences between the halves of any tensor computed from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....layers.channel_axes import ChannelAxes
from ....layers.functions import tensors_in

__all__ = ["Halves", "Pairs"]

_PRODUCTS = frozenset({"matmul", "bmm", "baddbmm", "scaled_dot_product_attention"})


@dataclass(frozen=True)
class Halves:
    """Images and references in tensors with the batch at this axis."""

    axis: int

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The part of the images, and that of the references."""
        half = x.shape[self.axis] // 2
        return x.narrow(self.axis, 0, half), x.narrow(self.axis, half, half)

    def joined(self, first: Tensor, second: Tensor) -> Tensor:
        """The two halves as one tensor."""
        return torch.cat([first, second], dim=self.axis)

    def difference(self, x: Tensor) -> Tensor:
        """x - x' at both halves."""
        first, second = self.split(x)
        difference = first - second
        return self.joined(difference, difference)

    def mean(self, x: Tensor) -> Tensor:
        """(x + x') / 2 at both halves."""
        first, second = self.split(x)
        mean = (first + second) / 2
        return self.joined(mean, mean)

    def times(self, values: Tensor, factor: Tensor) -> Tensor:
        """Values times a factor that both halves have."""
        product = torch.empty_like(values)
        for part, result in zip(self.split(values), self.split(product), strict=True):
            torch.mul(part, factor, out=result)
        return product


class Pairs:
    """Where the batch is in each tensor of one pass: followed from function to function, as channels are.

    Args:
        rows: images in the batch, references counted.
    """

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._axes = ChannelAxes()

    def begin(self, image: Tensor) -> None:
        """The images, batch first."""
        self._axes.add(image, 1, 0)

    def along(self, x: Tensor, rank: int | None = None) -> Halves:
        """The halves of a tensor, or of what it is broadcast to, of this many axes."""
        axis = self._axes.rows(self._axes.number(x))
        if axis is None or x.shape[axis] % self._rows:  # the first that holds each image as often
            axis = next((n for n, size in enumerate(x.shape) if size and size % self._rows == 0), 0)
        return Halves(axis + (0 if rank is None else rank - x.ndim))

    def given(self, args: Any, kwargs: Any) -> list[tuple[int, tuple[int, ...]]]:
        """(number, shape) of each known tensor among arguments, before the call."""
        tensors = tensors_in([args, kwargs])
        return [(number, tuple(t.shape)) for t in tensors if (number := self._axes.number(t)) is not None]

    def after(self, name: str, args: Any, kwargs: Any, given: Sequence[tuple[int, tuple[int, ...]]], y: Any) -> None:
        """Follow a call.

        Args:
            name: the function's.
            args: its arguments.
            kwargs: its keyword arguments.
            given: see `given`.
            y: what it gave.
        """
        for result in tensors_in(y) if given else ():
            self._axes.record(name, args, kwargs, given, result)
            number = self._axes.number(result)
            if name in _PRODUCTS and number is not None and self._axes.rows(number) is None:
                self._axes.add(result, None, self._batch_of_product(given, result))

    def _batch_of_product(self, given: Sequence[tuple[int, tuple[int, ...]]], y: Tensor) -> int | None:
        for number, shape in given:
            row = self._axes.rows(number)
            if row is not None and len(shape) == y.ndim and row < y.ndim - 2 and shape[row] == y.shape[row]:
                return row
        return None
