"""Other backward rules at rectifiers, however a network calls them: as module, function, in place, exported."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["Rectifiers"]

_RECTIFIERS = {"relu", "relu6", "hardtanh", "leaky_relu", "prelu", "_prelu_kernel"}
_CLAMPS = {"clamp", "clip", "clamp_min"}


class Rectifiers(TorchFunctionMode):
    """Within this context each rectifier has the backward rule of `crosslens.model.Model.modified`; values stay exact.

    A clamp counts as a rectifier where its lower bound is the number 0. `count` says how many were met.
    """

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, with another gradient if it is a rectifier."""
        name = getattr(func, "__name__", "").partition(".")[0]
        kwargs = kwargs or {}
        if not _rectifies(name.rstrip("_"), args, kwargs):
            return func(*args, **kwargs)
        self.count += 1
        if self.rule == "exact":
            return func(*args, **kwargs)
        in_place = name.endswith("_") or kwargs.get("inplace", False) or any(a is True for a in args)
        return self._ruled(func, in_place, args, kwargs)

    def _ruled(self, func: Callable[..., Tensor], in_place: bool, args: Any, kwargs: Any) -> Tensor:
        key = next((k for k in ("input", "self") if k in kwargs), None)
        x = kwargs.pop(key) if key else args[0]
        source = x.clone() if in_place else x
        y = func(source, *args[0 if key else 1 :], **kwargs)
        through = y if self.rule == "guided" else x
        ruled: Tensor = _Ruled.apply(through, y.detach(), self.rule != "linear")
        return x.copy_(ruled) if in_place else ruled


def _rectifies(name: str, args: Any, kwargs: Any) -> bool:
    if name in _RECTIFIERS:
        return True
    if name not in _CLAMPS:
        return False
    lowest = kwargs.get("min", args[1] if len(args) > 1 else None)
    return isinstance(lowest, int | float) and lowest == 0


class _Ruled(torch.autograd.Function):
    """The values of `y`, the gradient of `through`: dy, or its positive part."""

    @staticmethod
    def forward(ctx: Any, through: Tensor, y: Tensor, positive: bool) -> Tensor:
        ctx.positive = positive
        return y.clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor, None, None]:
        return dy.clamp(min=0) if ctx.positive else dy, None, None
