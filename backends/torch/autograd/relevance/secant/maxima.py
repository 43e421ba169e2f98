"""Maxima over windows or axes, for pairs: each half of the difference goes to the larger one's own maximum.

With y and y' the outputs of image and reference, V_x and V_x' the scatter to the maxima of each one's windows,
dx = (V_x[dy max(y - y', 0)] + V_x'[dy min(y - y', 0)]) / (x - x'), 0 where x = x' (Shrikumar et al. 2017).
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..function_calls import FunctionCall
from ..kept_values import KeptValue, KeptValues, same_memory
from .pairs import Halves, Pairs

__all__ = ["Maxima"]

_KINDS = [f"{kind}{axes}d" for kind in ("max_pool", "adaptive_max_pool") for axes in (1, 2, 3)]
_POOLS = frozenset([*_KINDS, *(f"{kind}_with_indices" for kind in _KINDS)])
_AXES = frozenset({"amax", "amin"})
_OF_ONE_OR_TWO = {"max": "maximum", "min": "minimum", "maximum": "maximum", "minimum": "minimum", "fmax": "maximum"}


class Maxima:
    """The rule of one pass."""

    def __init__(self, kept: KeptValues, pairs: Pairs) -> None:
        self._kept, self._pairs = kept, pairs

    def __call__(self, call: FunctionCall) -> Any:
        """The value of a maximum or minimum; None for any other function."""
        if call.name in _OF_ONE_OR_TWO and len(call.varying) == 2:
            return self._of_two(call)
        over_axis = call.name in {"max", "min"} and call.argument(1, "dim") is not None
        if len(call.varying) != 1 or not (call.name in _POOLS | _AXES or over_axis):
            return None
        (x,) = call.tensors
        with torch.no_grad():
            given = call.map(*call.tensors)
        if isinstance(given, Tensor):
            return self._apply(x, given, call.map, self._pairs.along(x))
        value = self._apply(x, given[0], lambda x: call.map(x)[0], self._pairs.along(x))
        return (value, *given[1:]) if type(given) is tuple else type(given)((value, *given[1:]))

    def _of_two(self, call: FunctionCall) -> Tensor:
        x = torch.stack(torch.broadcast_tensors(*call.tensors), dim=-1)
        smaller = _OF_ONE_OR_TWO[call.name] == "minimum"
        of_both: Callable[[Tensor], Tensor] = lambda both: (both.amin if smaller else both.amax)(dim=-1)  # noqa: E731
        halves = self._pairs.along(call.tensors[0], x.ndim - 1)
        return call.finish(self._apply(x, call.value(), of_both, halves), self._kept)

    def _apply(self, x: Tensor, value: Tensor, function: Callable[[Tensor], Tensor], halves: Halves) -> Tensor:
        y: Tensor = _Maximum.apply(x, value, function, self._kept.keep(x), halves)
        return y


class _Maximum(torch.autograd.Function):
    """The value; the formula's gradient."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, value: Tensor, function: Callable[[Tensor], Tensor], kept: KeptValue, halves: Halves
    ) -> Tensor:
        ctx.function, ctx.kept, ctx.halves = function, kept, halves
        return same_memory(value)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        x, halves = ctx.kept.tensor, ctx.halves
        leaves = [halves.joined(half, half).requires_grad_() for half in halves.split(x)]
        with torch.enable_grad():
            outputs = [ctx.function(leaf) for leaf in leaves]
        difference = (outputs[0] - outputs[1]).detach()
        seeds = dy * difference.clamp(min=0), dy * difference.clamp(max=0)
        gradients = [
            torch.autograd.grad(output, leaf, seed)[0]
            for output, leaf, seed in zip(outputs, leaves, seeds, strict=True)
        ]
        width = halves.difference(x)
        dx = torch.where(width == 0, 0, (gradients[0] + gradients[1]) / width)
        return dx, None, None, None, None
