"""A progress bar in a notebook's cell, updated in place; it needs IPython's kernel and nothing else."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, NamedTuple

__all__ = ["NotebookBar", "notebook_display"]

Display = Callable[..., Any]
"""IPython.display.display."""
DELAY = 0.5
"""Seconds of work before a bar is shown."""
INTERVAL = 0.1
"""Seconds between two updates, at least."""


def notebook_display() -> Display | None:
    """How to show something in the cell that runs; None outside of notebooks. Imports IPython only where it runs."""
    get_ipython: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    if getattr(get_ipython(), "kernel", None) is None:
        return None
    from IPython.display import display

    return display  # type: ignore[no-any-return]


class Position(NamedTuple):
    """How far a piece of work is."""

    name: str
    done: int = 0
    total: int = 0
    """0 where it is unknown."""
    what: str = ""

    @property
    def text(self) -> str:
        """In words: "gradient: step 3 of 8"."""
        count = f"{self.done} of {self.total}" if self.total else str(self.done or "")
        return ": ".join(part for part in (self.name, f"{self.what} {count}".strip()) if part)


class NotebookBar:
    """One bar for work and the work within it, shown after `DELAY`; at the end it says how the work ended."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._start, self._last = perf_counter(), 0.0
        self._positions: list[Position] = []
        self._handle: Any = None

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[int, int, str], None]]:
        """The callback of a piece of work, within those that are going on; the outermost one ends the bar."""
        level = len(self._positions)
        self._positions.append(Position(name))

        def report(done: int, total: int, what: str) -> None:
            self._positions[level:] = [Position(name, done, total, what)]
            self._update()

        try:
            yield report
        except BaseException:
            self._end(level, "stopped")
            raise
        self._end(level, "done")

    def _update(self) -> None:
        now = perf_counter()
        if now - self._start >= DELAY and now - self._last >= INTERVAL:
            self._last = now
            self._show(self._share(), ", ".join(each.text for each in self._positions))

    def _end(self, level: int, how: str) -> None:
        ended = self._positions[level]
        del self._positions[level:]
        if level or self._handle is None:
            return
        text = f"{ended.text}, {how} after {perf_counter() - self._start:.1f} s"
        self._show(1.0 if how == "done" else _share_of(ended, 0.0) or 0.0, text)

    def _share(self) -> float | None:
        """How much of the whole is done, from 0 to 1; None where it is unknown."""
        share: float | None = 0.0
        for position in reversed(self._positions):
            share = _share_of(position, share or 0.0)
        return share

    def _show(self, share: float | None, text: str) -> None:
        from html import escape

        value = "" if share is None else f' value="{share:.3f}"'
        percent = "" if share is None else f"{100 * share:.0f} % "
        bundle = {
            "text/html": f'<div><progress max="1"{value}></progress> {escape(text)}</div>',
            "text/plain": percent + text,
        }
        if self._handle is None:
            self._handle = self._display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


def _share_of(position: Position, inner: float) -> float | None:
    """The share of a piece of work that is done, a step that goes on counting by its own share."""
    return min((position.done + inner) / position.total, 1.0) if position.total else None
