"""Autograd functions that change a gradient and no value."""

from typing import Any

import torch
from torch import Tensor

from .kept_values import same_memory

__all__ = ["scaled_gradient", "with_gradient_of"]


def with_gradient_of(other: Tensor, value: Tensor) -> Tensor:
    """The numbers of `value`, whose graph does not count, with the gradient of `other`, of the same shape."""
    y: Tensor = _Instead.apply(other, value)
    return y


def scaled_gradient(y: Tensor, factor: float) -> Tensor:
    """`y`, with `factor` times the gradient."""
    scaled: Tensor = _Scaled.apply(y, factor)
    return scaled


class _Instead(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, other: Tensor, value: Tensor) -> Tensor:
        return same_memory(value)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        return dy, None


class _Scaled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return same_memory(y)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None]:
        return dy * ctx.factor, None
