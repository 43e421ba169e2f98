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

_PRODUCTS = frozenset({"mul", "multiply", "div", "divide", "true_divide"})
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
        """The value of an activation function with its ratio; None for any other function."""
        if len(call.varying) == 1:
            if call.name in ACTIVATIONS - RECTIFIERS and not (self._rectified and _clips_at_zero(call)):
                return self._ruled(call, call.tensors[0], call.map)
            return None
        if call.name not in _PRODUCTS or (chain := self._chain(call)) is None:
            return None
        start, function = chain
        x = start.tensor()
        is_power = call.tensors[0] is call.tensors[1]
        return None if x is None or is_power else self._ruled(call, x, function)

    def _ruled(self, call: FunctionCall, x: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        return call.finish(self._slopes.apply(x, call.value(), function), self._slopes.kept)

    def after(self, call: FunctionCall, y: Any) -> None:
        """Link the value of a call, whatever rule it has, to what it is an elementwise function of."""
        x = call.tensors[0]
        known = call.name in ELEMENTWISE | _JOINS and isinstance(y, Tensor)
        if known and len(call.varying) == 1:
            self._set(y, x, self._link(x), call.map)
        elif known and (chain := self._chain(call)) is not None:
            self._set(y, x, *chain)
        elif call.writes:
            self._forget(call)

    def _chain(self, call: FunctionCall) -> tuple[_Link, Callable[[Tensor], Tensor]] | None:
        """The value that both arguments lead back to, and the call as a function of it."""
        if len(call.varying) != 2:
            return None
        first, second = map(self._link, call.tensors)
        known = set(second.upstream())
        start = next((link for link in first.upstream() if link in known), None)
        if start is None:
            return None
        join = call.map

        def function(x: Tensor) -> Tensor:
            y: Tensor = join(first.value(start, x), second.value(start, x))
            return y

        return start, function

    def _link(self, x: Tensor) -> _Link:
        link = self._links.get(x)
        if link is None:
            link = self._links[x] = _Link(weakref.ref(x))
        found: _Link = link
        return found

    def _set(self, y: Tensor, x: Tensor, before: _Link, function: Callable[[Tensor], Tensor]) -> None:
        if y is x:  # overwritten: nothing else may lead back to what it was
            self._link(x).tensor = _gone
        self._links[y] = _Link(weakref.ref(y), before, function)

    def _forget(self, call: FunctionCall) -> None:
        """What a function that is not elementwise overwrites is another value."""
        for tensor in (call.argument(0, "input", "self"),):
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
