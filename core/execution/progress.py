"""Progress of long work, without a terminal in core: a callback that hears about each step."""

from collections.abc import Callable, Iterable, Iterator, Sized
from typing import TypeAlias, TypeVar

__all__ = ["Progress", "silent", "track"]

Progress: TypeAlias = Callable[[int, int, str], None]
"""progress(done, total, what): called after each step; raising from it (ctrl-C, a window closed) stops the work."""

T = TypeVar("T")


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


def track(items: Iterable[T], progress: Progress, what: str, total: int | None = None) -> Iterator[T]:
    """Yield the items, reporting each one once it has been worked on."""
    count = total if total is not None else len(items) if isinstance(items, Sized) else 0
    for done, item in enumerate(items, start=1):
        yield item
        progress(done, count, what)
