"""Progress of work that reports its steps on stderr: a bar on a terminal, for many pictures lines elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter

from ...execution.progress import Progress, silent
from ...printable import printable

__all__ = ["bar", "clock"]

LONGEST_STEP = 200
"""Characters of what is being done."""
BETWEEN = 10.0
"""Seconds between two lines where stderr is no terminal."""


@contextmanager
def bar(unit: str = "") -> Iterator[Progress]:
    """A callback that draws how far the work is and what it does, gone when the block ends.

    Nothing is drawn before the first step is reported, so that short work shows no bar. With a `unit`, "pictures", the
    bar has the number done, the rate and the time left; where stderr is no terminal a line every ten seconds has them.
    Without one nothing is said there.
    """
    pace = Pace(unit)
    if not sys.stderr.isatty():
        yield pace.lines if unit else silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bars

    what_is_done = TextColumn("{task.description}", markup=False)
    paced = [TextColumn("{task.fields[pace]}", markup=False), BarColumn(20), what_is_done]
    columns = paced if unit else [what_is_done, *Bars.get_default_columns()[1:]]
    bars = Bars(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = bars.add_task("", visible=False, pace="")

    def report(done: int, total: int, what: str) -> None:
        text, what = pace.text(done, total, what), printable(what, LONGEST_STEP)
        bars.update(
            task,
            completed=done,
            total=total or None,
            description=what,
            visible=True,
            pace=text,
        )

    bars.start()
    try:
        yield report
    finally:
        with suppress(OSError):  # the terminal was closed: what was computed can still be saved
            bars.stop()


class Pace:
    """How many are done, how many a second, and how long the others will take, counted from the first report.

    Where fewer are done than before, another round of the work has begun.
    """

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self._began: float | None = None
        self._said = 0.0
        self._first = self._last = 0

    def text(self, done: int, total: int, what: str = "") -> str:
        """The text "12 of 200 pictures, 3.4 a second, 0:55 left"; no unit where a sweep is over its images."""
        now = perf_counter()
        if self._began is None or done < self._last:
            self._began = now
            self._said = self._said or now
            self._first = done
        self._last = done
        after = self.unit == "images" and not what.startswith("round")
        passed, counted = now - self._began, f"{done} of {total}" + f" {self.unit}" * (not after)
        if done == self._first or not passed:
            return counted
        rate = (done - self._first) / passed
        often = f"{rate:.1f} a second" if rate >= 1 else f"{1 / rate:.1f} s each"
        return f"{counted}, {often}, {clock((total - done) / rate)} left"

    def lines(self, done: int, total: int, what: str) -> None:
        """Print the text, not more often than every ten seconds."""
        text, what = self.text(done, total, what), printable(what, LONGEST_STEP)
        if perf_counter() - self._said >= BETWEEN:
            self._said = perf_counter()
            with suppress(OSError):
                print(
                    f"{text} ({what})" if self.unit in {"images", "steps", "files"} else text,
                    file=sys.stderr,
                    flush=True,
                )


def clock(seconds: float) -> str:
    """Seconds as 0:05, 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
