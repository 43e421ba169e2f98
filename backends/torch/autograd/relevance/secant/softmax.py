"""Softmax and its relatives, for pairs, by logarithmic means.

With y and y' the outputs and d = ln y - ln y' = (x - x') - (ln S - ln S'), the logarithmic mean of each share is
L = (y - y') / d. Since the shares add up to 1 at both, ln S - ln S' = sum L (x - x') / sum L, so that

    dx = L (dy - sum dy L / sum L)

times x - x' adds up to the change of the outputs exactly. It is softmax's derivative with L for y; no number in it is
larger than those of dy, however far x and x' lie apart.
"""

from typing import Any

import torch
from crosslens.model.backward_rules import close_pairs
from torch import Tensor

from ..function_calls import FunctionCall
from ..kept_values import KeptValue, KeptValues, same_memory
from .pairs import Halves, Pairs

__all__ = ["SOFTMAX", "secant_of_softmax"]

SOFTMAX = frozenset({"softmax", "log_softmax", "softmin", "logsumexp", "special_softmax", "special_log_softmax"})


def secant_of_softmax(call: FunctionCall, kept: KeptValues, pairs: Pairs) -> Tensor:
    """The value of a call with one varying argument, with the pairs' gradient."""
    (x,) = call.tensors
    y: Tensor = _Softmax.apply(x, call, kept.keep(x), pairs.along(x))
    return call.finish(y, kept)


class _Softmax(torch.autograd.Function):
    """The call's value; the secant's gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, call: FunctionCall, kept: KeptValue, halves: Halves) -> Tensor:
        ctx.call, ctx.kept, ctx.halves = call, kept, halves
        return same_memory(call.map(x))

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        with torch.no_grad():
            return _gradient(ctx.call, ctx.kept.tensor, ctx.halves, dy), None, None, None


def _gradient(call: FunctionCall, x: Tensor, halves: Halves, dy: Tensor) -> Tensor:
    axis = call.argument(1, "dim")
    z = (-x if call.name == "softmin" else x).to(dy.dtype)
    mean = _logarithmic_mean(z, axis, halves)
    share = mean / mean.sum(axis, keepdim=True)
    if call.name == "logsumexp":
        whole = call.argument(2, "keepdim", default=False)
        return ((dy if whole else dy.reshape(share.sum(axis, keepdim=True).shape)) * share).to(x.dtype)
    if "log" in call.name:
        return (dy - dy.sum(axis, keepdim=True) * share).to(x.dtype)
    dx = mean * (dy - (dy * share).sum(axis, keepdim=True))
    return (-dx if call.name == "softmin" else dx).to(x.dtype)


def _logarithmic_mean(x: Tensor, axis: int, halves: Halves) -> Tensor:
    """L at both halves; the mean of y and y' where they are close, whose error is d^2 / 12."""
    (y, other), (first, second) = (halves.split(each) for each in (x.softmax(axis), x.log_softmax(axis)))
    d = first - second
    close = ~(d.abs() >= close_pairs(64 if x.dtype == torch.float64 else 32))  # NaN: of -inf at both, whose y is 0
    mean = torch.where(close, (y + other) / 2, (y - other) / torch.where(close, 1, d))
    return halves.joined(mean, mean)
