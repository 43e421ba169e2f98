"""Elementwise functions with another factor than their derivative: a ratio, or a secant between image and reference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .kept_values import KeptValue, KeptValues, same_memory
from .secant.pairs import Pairs

__all__ = ["NEAR", "Slopes"]

NEAR = 1e-10
"""A width below this has no quotient: the derivative takes its place."""


@dataclass(frozen=True)
class Slopes:
    """The rule of one pass: f(x) / x, or with `pairs` (f(x) - f(x')) / (x - x')."""

    kept: KeptValues
    pairs: Pairs | None = None

    def apply(self, x: Tensor, y: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """`y` with this rule's gradient at `x`.

        Args:
            x: what the function is applied to; broadcast to the shape of `y` where it is smaller.
            y: its value, a new tensor without a graph.
            function: computes y from x, for the derivative.
        """
        if x.shape != y.shape:
            x = x.expand(y.shape)
        call = _Call(self.kept.keep(x), function, self.pairs)
        result: Tensor = _Sloped.apply(x, y, call)
        call.y = self.kept.keep(result)
        return result


@dataclass
class _Call:
    x: KeptValue
    function: Callable[[Tensor], Tensor]
    pairs: Pairs | None
    y: Any = None

    def gradient(self, dy: Tensor) -> Tensor:
        x, y = self.x.tensor, self.y.tensor
        if self.pairs is None:
            width, factor = x, y / x
        else:
            (first, second), (above, below) = self.pairs.halves(x), self.pairs.halves(y)
            width = first - second
            factor = (above - below).div_(width)
        dx = dy * factor if self.pairs is None else self.pairs.times(dy, factor)
        if float(width.abs().nan_to_num_(0).min()) >= NEAR:  # of two infinite values that are the same it is NaN
            return dx
        near = (width.abs() < NEAR) | width.isnan()
        near = near if self.pairs is None else self.pairs.joined(near, near, x)
        return dx.copy_(torch.where(near, self._exact(dy), dx))

    def _exact(self, dy: Tensor) -> Tensor:
        with torch.enable_grad():
            x = self.x.tensor.detach().requires_grad_()
            y = self.function(x)
            (dx,) = torch.autograd.grad(y, x, dy) if y.requires_grad else (torch.zeros_like(dy),)
        return dx


class _Sloped(torch.autograd.Function):
    """The values of `y`; the rule's gradient at `x`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, call: _Call) -> Tensor:
        ctx.call = call
        return same_memory(y)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        with torch.no_grad():
            return ctx.call.gradient(dy), None, None
