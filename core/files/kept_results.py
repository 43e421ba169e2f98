"""Results on the way: a method that works for long tells what it has, and its caller keeps it against a kill."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeAlias

__all__ = ["complete_with", "keep_result", "keep_results"]

Keep: TypeAlias = Callable[[Any], None]
SHARE = 10
"""Keeping takes at most about one part in so many of the time: a large result is not written after every interval."""


@dataclass
class _Keeper:
    """Who keeps results, and when it may be asked again."""

    keep: Keep
    again: float = field(default=0.0)

    def told(self, result: Callable[[], Any], complete: Callable[[Any], Any]) -> None:
        began = perf_counter()
        if began < self.again:
            return
        self.keep(complete(result()))
        ended = perf_counter()
        self.again = ended + (SHARE - 1) * (ended - began)


_keeper: ContextVar[_Keeper | None] = ContextVar("keeper", default=None)
_complete: ContextVar[Callable[[Any], Any] | None] = ContextVar("complete", default=None)


@contextmanager
def keep_results(keep: Keep) -> Iterator[None]:
    """Have methods within this block tell what they have after each of their intervals (`every`).

    Args:
        keep: given a result that is as complete as the last one would be if the work ended there.
    """
    token = _keeper.set(_Keeper(keep))
    try:
        yield
    finally:
        _keeper.reset(token)


@contextmanager
def complete_with(complete: Callable[[Any], Any]) -> Iterator[None]:
    """What a method's call adds to what its `run` gives: provenance, parameters. A method within another keeps nothing.

    Args:
        complete: gives the whole result.
    """
    nested = _complete.get() is not None
    token, outer = _complete.set(complete), _keeper.set(None if nested else _keeper.get())
    try:
        yield
    finally:
        _keeper.reset(outer)
        _complete.reset(token)


def keep_result(result: Callable[[], Any]) -> None:
    """Tell what a method has so far; not called where nobody keeps it, or was told just now.

    Args:
        result: gives what `run` would return if it ended here.
    """
    keeper, complete = _keeper.get(), _complete.get()
    if keeper is not None and complete is not None:
        keeper.told(result, complete)
