"""Activation functions that a network writes out in several operators, such as x * sigmoid(x), found as they run.

Each result of an elementwise function of one tensor is linked to that tensor. A product of two results that lead back
to one tensor x is one function of x.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .function_calls import FunctionCall
from .names import ACTIVATIONS, ELEMENTWISE, LINEAR, RECTIFIERS
from .slopes import Slopes

__all__ = ["Ratios"]

_JOINS = LINEAR | {"where", "maximum", "minimum"}


@dataclass(eq=False)
class _Link:
    """A value that `function` computes from the value of `before`; None where nothing is known."""

    tensor: Callable[[], Tensor | None]
    before: _Link | None = None
    function: Callable[[Tensor], Tensor] | None = None

    def upstream(self) -> Iterator[_Link]:
        link: _Link | None = self
        while link is not None:
            yield link
            link = link.before

    def value(self, start: _Link, x: Tensor) -> Tensor:
        """This value where that of `start`, upstream, is x."""
        steps = []
        link = self
        while link is not start:
            assert link.function is not None
            assert link.before is not None
            steps.append(link.function)
            link = link.before
        for function in reversed(steps):
            x = function(x)
        return x


class Ratios:
    """slope="ratio" in one pass: activation functions by themselves, and where they end in a product of a chain."""

    def __init__(self, slopes: Slopes, *, rectified: bool) -> None:
        self._slopes = slopes
        self._rectified = rectified
        """Whether rectifiers have a rule of their own."""
        self._links: Any = WeakTensorKeyDictionary()

    def __call__(self, call: FunctionCall) -> Tensor | None:
        """The value of an elementwise function with its ratio; None for any other function."""
        if call.name not in ELEMENTWISE | _JOINS or not 0 < len(call.varying) < 3:
            if call.writes:
                self._forget(call)
            return None
        return self._of_one(call) if len(call.varying) == 1 else self._of_two(call)

    def _of_one(self, call: FunctionCall) -> Tensor:
        (x,) = call.tensors
        before, function = self._link(x), call.map
        if call.name in ACTIVATIONS - RECTIFIERS and not (self._rectified and _clips_at_zero(call)):
            y = call.finish(self._slopes.apply(x, call.value(), function), self._slopes.kept)
        else:
            y = call.func(*call.args, **call.kwargs)
        return self._linked(y, x, before, function)

    def _of_two(self, call: FunctionCall) -> Tensor:
        a, b = call.tensors
        first, second = self._link(a), self._link(b)
        known = set(second.upstream())
        start = next((link for link in first.upstream() if link in known), None)
        if start is None:
            y: Tensor = call.func(*call.args, **call.kwargs)
            if call.writes:
                self._forget(call)
            return y
        join = call.map

        def function(x: Tensor, start: _Link = start) -> Tensor:
            y: Tensor = join(first.value(start, x), second.value(start, x))
            return y

        x = start.tensor()
        if call.name in {"mul", "multiply", "div", "divide", "true_divide"} and first is not second and x is not None:
            y = call.finish(self._slopes.apply(x, call.value(), function), self._slopes.kept)
        else:
            y = call.func(*call.args, **call.kwargs)
        return self._linked(y, a, start, function)

    def _link(self, x: Tensor) -> _Link:
        link = self._links.get(x)
        if link is None:
            link = self._links[x] = _Link(weakref.ref(x))
        found: _Link = link
        return found

    def _linked(self, y: Tensor, x: Tensor, before: _Link, function: Callable[[Tensor], Tensor]) -> Tensor:
        if y is x:  # overwritten: nothing else may lead back to what it was
            self._link(x).tensor = _gone
        if isinstance(y, Tensor):
            self._links[y] = _Link(weakref.ref(y), before, function)
        return y

    def _forget(self, call: FunctionCall) -> None:
        """What a function that is not elementwise overwrites is another value."""
        for tensor in call.args[:1]:
            if isinstance(tensor, Tensor) and tensor in self._links:
                self._links.pop(tensor).tensor = _gone


def _gone() -> None:
    return None


def _clips_at_zero(call: FunctionCall) -> bool:
    if call.name == "relu6":
        return True
    names = {"clamp": "min", "clip": "min", "clamp_min": "min", "hardtanh": "min_val"}
    lowest = call.argument(1, names[call.name]) if call.name in names else None
    return isinstance(lowest, int | float) and not isinstance(lowest, bool) and lowest == 0
