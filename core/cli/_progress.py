"""A progress bar on stderr for work that reports its steps; none where stderr is not a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..execution.progress import Progress, silent

__all__ = ["bar"]


@contextmanager
def bar() -> Iterator[Progress]:
    """A callback that draws how far the work is and what it does, gone when the block ends.

    Nothing is drawn before the first step is reported, so that short work shows no bar.
    """
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    bars = Bars(console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = bars.add_task("", visible=False)

    def report(done: int, total: int, what: str) -> None:
        bars.update(task, completed=done, total=total or None, description=what, visible=True)

    bars.start()
    try:
        yield report
    finally:
        with suppress(OSError):  # the terminal was closed: what was computed can still be saved
            bars.stop()
