"""Progress of long work: a callback that is told of each step; core itself writes to no terminal."""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeAlias, TypeVar

__all__ = ["Progress", "silent", "track"]

Progress: TypeAlias = Callable[[int, int, str], None]
"""progress(done, total, what): called after each step; raising from it (ctrl-C, a window closed) stops the work."""

T = TypeVar("T")


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


def track(items: Iterable[T], progress: Progress, what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, reporting each one when the next is asked for.

    Args:
        items: what is worked on.
        progress: told of each step.
        what: the work, in a word or two.
        total: number of items; None: their length, or 0 where they have none.
    """
    count = total if total is not None else len(items) if isinstance(items, Sized) else 0
    for done, item in enumerate(items, start=1):
        yield item
        progress(done, count, what)
