"""Progress of long work: a callback that is told of each step; if none is given, a bar in a notebook."""

from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeAlias, TypeVar

from .notebook_bar import NotebookBar, notebook_display

__all__ = ["Progress", "part_of", "show_progress", "shows_progress", "silent", "track"]

Progress: TypeAlias = Callable[[int, int, str], None]
"""progress(done, total, what): called after each step; raising from it (ctrl-C, a window closed) stops the work."""

T = TypeVar("T")
P = ParamSpec("P")
_shown: ContextVar[NotebookBar | Progress | None] = ContextVar("shown", default=None)
"""What shows the work that goes on: a bar, or the callback that the caller gave; None outside of any."""


def silent(done: int, total: int, what: str) -> None:
    """Tell nobody."""


@contextmanager
def show_progress(progress: Progress | None, name: str) -> Iterator[Progress]:
    """What work within this block reports its steps to.

    Args:
        progress: the caller's, which is obeyed. None: a bar in a notebook's cell, where the work takes longer than half
            a second; nobody elsewhere. Work within other work has no bar of its own, it moves the outer one.
        name: the work, for the bar.
    """
    outer = _shown.get()
    if progress is None and isinstance(outer, NotebookBar):
        with outer.part(name) as report:
            yield report
        return
    display = notebook_display() if progress is None and outer is None else None
    bar = NotebookBar(display) if display else None
    token = _shown.set(bar or progress or silent)
    try:
        if bar is None:
            yield progress or silent
        else:
            with bar.part(name) as report:
                yield report
    finally:
        _shown.reset(token)


def shows_progress(work: Callable[P, T]) -> Callable[P, T]:
    """A function with a keyword `progress` that shows a bar in a notebook where none is given; see `show_progress`."""

    @wraps(work)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        given: Any = kwargs.pop("progress", None)
        with show_progress(given, work.__name__) as told:
            kwargs["progress"] = told
            return work(*args, **kwargs)

    return call


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


def part_of(progress: Progress, part: int, parts: int, name: str = "") -> Progress:
    """The progress of one of several equal parts of the work, told as that of the whole.

    Args:
        progress: told of the whole.
        part: which part, from 0.
        parts: how many there are.
        name: what a part is, such as "trial"; then `what` says which one it is.
    """
    prefix = f"{name} {part + 1} of {parts}: " if name else ""
    return lambda done, total, what: progress(part * total + done, parts * total, prefix + what)
