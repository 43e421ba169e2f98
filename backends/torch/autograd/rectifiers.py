"""Backward rules at rectifiers that a network calls as module, as function, in place, or in an exported program."""

from collections import Counter
from typing import Any

import torch
from crosslens.introspection.nonlinearities import OTHERS
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

__all__ = ["Rectifiers"]

_RECTIFIERS = {"relu", "relu6", "leaky_relu", "prelu", "_prelu_kernel"}
_CLIPS = {"clamp": "min", "clip": "min", "clamp_min": "min", "hardtanh": "min_val"}
"""Functions that clip, and the keyword of their lower bound."""


class Rectifiers(TorchFunctionMode):
    """Within this context each rectifier has the backward rule of `crosslens.model.Model.modified`; values stay exact.

    A clip (clamp, hardtanh) counts as a rectifier where its lower bound is the number 0; an exported
    where(x > 0, x, ...), into which decompositions turn a PReLU, does too. `count` is the number of rectifiers called,
    `others` that of other activation functions by kind.

    A subclass overrides `rectified` to see what each of them gives.
    """

    def __init__(self, rule: str) -> None:
        super().__init__()
        self.rule = rule
        self.count = 0
        self.others: Counter[str] = Counter()
        self._above_zero: Any = WeakTensorKeyDictionary()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call `func`, with the rule's gradient if it is a rectifier."""
        name, kwargs = getattr(func, "__name__", "").partition(".")[0], dict(kwargs or {})
        key = next((k for k in ("input", "self") if k in kwargs), None)
        if key:
            args = (kwargs.pop(key), *args)
        if isinstance(func, torch._ops.OpOverload) and name in {"gt", "where"}:
            return self._apply_to_where(name, func, args, kwargs)
        if not _is_rectifier(name.rstrip("_"), args, kwargs):
            if kind := OTHERS.get(name.replace("_", "")):
                self.others[kind] += 1
            return func(*args, **kwargs)
        return self.rectified(self._rectify(func, name, args, kwargs))

    def rectified(self, y: Tensor) -> Tensor:
        """The output of a rectifier, as the network goes on with it."""
        return y

    def _rectify(self, func: Any, name: str, args: Any, kwargs: Any) -> Tensor:
        x, *rest = args
        if self.rule == "guided":
            return self._with_guided_gradient(func(*args, **kwargs))
        if name.endswith("_") or kwargs.get("inplace", False) or any(a is True for a in rest):
            ruled = self._with_rule(x, func(x.clone(), *rest, **kwargs))
            overwritten: Tensor = x.copy_(ruled)
            return overwritten
        return self._with_rule(x, func(x, *rest, **kwargs))

    def _apply_to_where(self, name: str, func: Any, args: Any, kwargs: Any) -> Tensor:
        y: Tensor = func(*args, **kwargs)
        if name == "gt" and not isinstance(args[1], Tensor) and args[1] == 0:
            self._above_zero[y] = args[0]
        if name == "where" and self._above_zero.get(args[0]) is args[1]:
            return self.rectified(self._with_rule(args[1], y))
        return y

    def _with_guided_gradient(self, y: Tensor) -> Tensor:
        """`y` itself, which lets only positive gradients back to the rectifier's own rule; nothing is copied."""
        self.count += 1
        if y.requires_grad:
            y.register_hook(_positive)
        return y

    def _with_rule(self, x: Tensor, y: Tensor) -> Tensor:
        """`y`, which is f(x), with the gradient that the rule gives `x`."""
        if self.rule == "guided":
            return self._with_guided_gradient(y)
        self.count += 1
        if self.rule == "exact":
            return y
        ruled: Tensor = _Ruled.apply(x, y.detach(), self.rule != "linear")
        return ruled


def _is_rectifier(name: str, args: Any, kwargs: Any) -> bool:
    if name in _RECTIFIERS:
        return True
    if name not in _CLIPS:
        return False
    lowest = kwargs.get(_CLIPS[name], args[1] if len(args) > 1 else None)
    return isinstance(lowest, int | float) and lowest == 0


def _positive(dy: Tensor | None) -> Tensor | None:
    """None where an operator behind, of a quantised layer for example, gives no gradient."""
    return None if dy is None else dy.clamp(min=0)


class _Ruled(torch.autograd.Function):
    """The values of `y`; the gradient dy, or its positive part, goes to `through`."""

    @staticmethod
    def forward(ctx: Any, through: Tensor, y: Tensor, positive: bool) -> Tensor:
        ctx.positive = positive
        return y.clone()

    @staticmethod
    def backward(ctx: Any, dy: Tensor | None) -> tuple[Tensor | None, None, None]:
        return _positive(dy) if ctx.positive else dy, None, None
