"""Functions by the operators that they are composed of, each of which has a secant."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..function_calls import FunctionCall

__all__ = ["secant_steps"]


def secant_steps(call: FunctionCall) -> Callable[[], Tensor] | None:
    """Quotients of two values that vary, deviations and lengths; None for any other function."""
    if call.name in {"div", "divide", "true_divide"} and len(call.varying) == 2:
        return lambda: _quotient(call)
    if call.name in _REDUCTIONS and len(call.varying) == 1:
        return _REDUCTIONS[call.name](call)
    return None


def _quotient(call: FunctionCall) -> Tensor:
    above, below = reversed(call.tensors) if call.reflected else call.tensors
    y = above * torch.reciprocal(below)
    return y if call.kwargs.get("rounding_mode") is None else y.trunc()


def _axes(call: FunctionCall, place: int = 1) -> Any:
    axes = call.argument(place, "dim", "axis")
    return tuple(range(call.tensors[0].ndim)) if axes is None or axes == () else axes


def _variance(call: FunctionCall) -> Callable[[], Tensor] | None:
    (x,) = call.tensors
    axes = _axes(call)
    if isinstance(axes, bool):
        return None
    correction = call.kwargs.get("correction", int(call.kwargs.get("unbiased", True)))
    given = call.argument(2, "unbiased")
    correction = int(given) if isinstance(given, bool) else correction
    keep = bool(call.argument(3, "keepdim", default=False))

    def steps() -> Tensor:
        squares = torch.square(x - x.mean(axes, keepdim=True))
        count = squares.mean(axes, keepdim=True)
        ratio = squares.numel() / count.numel()
        y = squares.sum(axes, keepdim=keep) / (ratio - (1 if correction is None else correction))
        return torch.sqrt(y) if call.name == "std" else y

    return steps


def _length(call: FunctionCall) -> Callable[[], Tensor] | None:
    (x,) = call.tensors
    order = call.argument(1, "p", "ord", default=2)
    if order not in {1, 2, "fro", None}:
        return None
    axes, keep = _axes(call, 2), bool(call.argument(3, "keepdim", default=False))

    def steps() -> Tensor:
        if order == 1:
            return torch.abs(x).sum(axes, keepdim=keep)
        return torch.sqrt(torch.square(x).sum(axes, keepdim=keep))

    return steps


_REDUCTIONS: dict[str, Callable[[FunctionCall], Callable[[], Tensor] | None]] = {
    "var": _variance,
    "std": _variance,
    "norm": _length,
    "linalg_norm": _length,
    "linalg_vector_norm": _length,
}
