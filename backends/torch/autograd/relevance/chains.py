"""Functions that a network writes out in several operators, such as x * sigmoid(x), followed as they run.

Each result of an elementwise function of one tensor is linked to that tensor. Where several that lead back to one
tensor meet, their result is one function of it.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from .function_calls import FunctionCall
from .names import COMPARISONS, ELEMENTWISE, LINEAR, STEPPED

__all__ = ["CHOICES", "Chain", "Chains"]

CHOICES = {"where": (0, "condition"), "masked_fill": (1, "mask")}
"""Functions that choose by a condition, and its place."""
_JOINS = LINEAR | {"maximum", "minimum"} | CHOICES.keys()
_KNOWN = ELEMENTWISE | STEPPED | COMPARISONS | _JOINS


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


@dataclass(frozen=True)
class Chain:
    """A result as a function of one tensor, which is None where the network has dropped or overwritten it."""

    start: Any
    function: Callable[[Tensor], Tensor]

    @property
    def x(self) -> Tensor | None:
        """The tensor."""
        x: Tensor | None = self.start.tensor()
        return x


class Chains:
    """The links of one pass."""

    def __init__(self) -> None:
        self._links: Any = WeakTensorKeyDictionary()

    def chain(self, call: FunctionCall) -> Chain | None:
        """The call as a function of the one tensor that its arguments lead back to; None where they do not."""
        operands = [*call.varying]
        if call.name in CHOICES:
            place, name = CHOICES[call.name]
            condition = call.argument(place, name)
            if self.is_condition(condition):
                operands.append((place if place < len(call.args) else name, condition))
        if len(operands) < 2:
            return None
        links = [self._link(each) for _, each in operands]
        others = [set(link.upstream()) for link in links[1:]]
        start = next((link for link in links[0].upstream() if all(link in other for other in others)), None)
        if start is None:
            return None
        join = call.map_of([slot for slot, _ in operands])

        def function(x: Tensor) -> Tensor:
            y: Tensor = join(*(link.value(start, x) for link in links))
            return y

        return Chain(start, function)

    def after(self, call: FunctionCall, y: Any) -> None:
        """Link the value of a call to what it is an elementwise function of."""
        x = call.tensors[0]
        known = call.name in _KNOWN and isinstance(y, Tensor)
        if known and (chain := self.chain(call)) is not None:
            self._set(y, x, chain.start, chain.function)
        elif known and len(call.varying) == 1:
            self._set(y, x, self._link(x), call.map)
        elif call.writes:
            self._forget(call)

    def is_condition(self, value: Any) -> bool:
        """Whether a tensor of truth values depends on the image."""
        return isinstance(value, Tensor) and value.dtype is torch.bool and value in self._links

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
        first = call.argument(0, "input", "self")
        if isinstance(first, Tensor) and first in self._links:
            self._links.pop(first).tensor = _gone


def _gone() -> None:
    return None
