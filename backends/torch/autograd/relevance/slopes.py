"""Elementwise functions with another factor than their derivative: a ratio, or a secant between image and reference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .function_calls import FunctionCall
from .kept_values import KeptValue, KeptValues, same_memory
from .secant.pairs import Halves, Pairs

__all__ = ["NEAR", "Slopes"]

NEAR = 1e-10
"""A width below this has no quotient: the derivative takes its place."""


@dataclass(frozen=True)
class Slopes:
    """The rule of one pass: f(x) / x, or with `pairs` (f(x) - f(x')) / (x - x')."""

    kept: KeptValues
    pairs: Pairs | None = None

    def of_call(self, call: FunctionCall, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """The value of a call with this rule's gradient at `x`.

        Args:
            call: of the function; it may overwrite its argument.
            x: what the function is applied to.
            function: computes the value from x, for the derivative.
        """
        if not (call.writes and len(call.varying) == 1 and x is call.argument(0, "input", "self")):
            return call.finish(self.apply(x, call.value(), function), self.kept)
        run = _Call(self.kept.keep(x), function, None if self.pairs is None else self.pairs.along(x))
        self.kept.before_writing(call.args, call.kwargs)
        result: Tensor = _SlopedInPlace.apply(x, call, run)
        run.y = self.kept.keep(result)
        return result

    def apply(self, x: Tensor, y: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        """`y` with this rule's gradient at `x`.

        Args:
            x: what the function is applied to; broadcast to the shape of `y` where it is smaller.
            y: its value, a new tensor without a graph.
            function: computes y from x, for the derivative.
        """
        halves = None if self.pairs is None else self.pairs.along(x, y.ndim)
        if x.shape != y.shape:
            x = x.expand(y.shape)
        call = _Call(self.kept.keep(x), function, halves)
        result: Tensor = _Sloped.apply(x, y, call)
        call.y = self.kept.keep(result)
        return result


@dataclass
class _Call:
    x: KeptValue
    function: Callable[[Tensor], Tensor]
    halves: Halves | None
    y: Any = None

    def gradient(self, dy: Tensor) -> Tensor:
        x, y, halves = self.x.tensor, self.y.tensor, self.halves
        if halves is None:
            width = x
            dx = dy * (y / x)
        else:
            (first, second), (above, below) = halves.split(x), halves.split(y)
            width = first - second
            dx = halves.times(dy, (above - below).div_(width))
        if (
            not width.numel() or float(width.abs().nan_to_num_(0).min()) >= NEAR
        ):  # NaN: of two infinite values that are the same
            return dx
        near = (width.abs() < NEAR) | width.isnan()
        near = near if halves is None else halves.joined(near, near)
        return torch.where(near, self._exact(dy), dx)

    def _exact(self, dy: Tensor) -> Tensor:
        with torch.enable_grad():
            x = self.x.tensor.detach().requires_grad_()
            y = self.function(x)
            (dx,) = torch.autograd.grad(y, x, dy.to(y.dtype)) if y.requires_grad else (torch.zeros_like(dy),)
        return dx.to(dy.dtype)


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


class _SlopedInPlace(torch.autograd.Function):
    """The function in place; the rule's gradient at what its argument was."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, call: FunctionCall, run: _Call) -> Tensor:
        ctx.mark_dirty(x)
        ctx.call = run
        call.func(*call.args, **call.kwargs)
        return x

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        with torch.no_grad():
            return ctx.call.gradient(dy), None, None
