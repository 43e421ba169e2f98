"""Elementwise functions with another factor than their derivative: a ratio, or a secant between image and reference."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from crosslens.model.backward_rules import close_pairs
from torch import Tensor

from .function_calls import FunctionCall
from .kept_values import KeptValue, KeptValues, same_memory
from .names import PIECES, SIDES, SMOOTH
from .rectifier_calls import is_clip_from_zero
from .secant.closed_forms import CLOSED, kind_of_function
from .secant.pairs import Halves, Pairs

__all__ = ["NEAR", "Slopes"]

CLIP = "clip from 0"
"""The kind of ReLU, ReLU6 and other clips from 0."""
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
        kind = CLIP if is_clip_from_zero(call) else kind_of_function(call)
        if not (call.writes and len(call.varying) == 1 and x is call.argument(0, "input", "self")):
            return call.finish(self.apply(x, call.value(), function, kind), self.kept)
        run = _Call(self.kept.keep(x), function, None if self.pairs is None else self.pairs.along(x), kind)
        self.kept.before_writing(call.args, call.kwargs)
        result: Tensor = _SlopedInPlace.apply(x, call, run)
        run.y = self.kept.keep(result)
        return result

    def apply(self, x: Tensor, y: Tensor, function: Callable[[Tensor], Tensor], name: str = "") -> Tensor:
        """`y` with this rule's gradient at `x`.

        Args:
            x: what the function is applied to; broadcast to the shape of `y` where it is smaller.
            y: its value, a new tensor without a graph.
            function: computes y from x, for the derivative.
            name: the function's kind, by which secants between close values are computed; "" for any other.
        """
        halves = None if self.pairs is None else self.pairs.along(x, y.ndim)
        if x.shape != y.shape:
            x = x.expand(y.shape)
        call = _Call(self.kept.keep(x), function, halves, name)
        result: Tensor = _Sloped.apply(x, y, call)
        call.y = self.kept.keep(result)
        return result


@dataclass
class _Call:
    x: KeptValue
    function: Callable[[Tensor], Tensor]
    halves: Halves | None
    name: str = ""
    y: Any = None

    def gradient(self, dy: Tensor) -> Tensor:
        if self.name == CLIP:
            return self._of_clip(dy)
        if self.halves is not None and self.name in SMOOTH | SIDES.keys() | PIECES:
            return self._of_close_pairs(dy, self.halves)
        x, y, halves = self.x.tensor, self.y.tensor, self.halves
        if halves is not None and self.name in CLOSED:
            return halves.times(dy, CLOSED[self.name](*halves.split(x), *halves.split(y)))
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

    def _of_clip(self, dy: Tensor) -> Tensor:
        """By quotients alone, without a look for small widths: y is 0 wherever x is not above 0."""
        x, y, halves = self.x.tensor, self.y.tensor, self.halves
        if halves is None:
            return torch.div(y, x.clamp(min=torch.finfo(x.dtype).tiny)).mul_(dy)
        (first, second), (above, below) = halves.split(x), halves.split(y)
        width, slope = first - second, (above == first) & (first > 0)
        apart = width.abs() >= NEAR
        return halves.times(dy, torch.where(apart, (above - below).div_(width), slope.to(y.dtype)))

    def _of_close_pairs(self, dy: Tensor, halves: Halves) -> Tensor:
        """Where the difference of two close values would be mostly rounding, the mean of the derivatives there."""
        x, y = self.x.tensor, self.y.tensor
        (first, second), (above, below) = halves.split(x), halves.split(y)
        width = first - second
        slopes = halves.split(self._exact(torch.ones_like(y)))
        reach = close_pairs(8 * x.element_size())
        if self.name in PIECES:
            close = (slopes[0] == slopes[1]) | (width.abs() < NEAR)
        elif self.name in SIDES:
            kink = SIDES[self.name]
            one_side = ((first < -kink) == (second < -kink)) & ((first > kink) == (second > kink))
            close = (width.abs() < reach) & one_side | (width.abs() < NEAR)
        else:
            close = width.abs() < reach
        close |= width.isnan()  # of two infinite values that are the same
        factor = torch.where(close, (slopes[0] + slopes[1]) / 2, (above - below).div_(width))
        return halves.times(dy, factor)

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
