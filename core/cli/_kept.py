"""What long commands keep on the way, so that a kill loses an interval: the .npz itself, or one beside the output."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import click

from ..files.kept_files import check_target
from ..files.kept_results import keep_results
from ..method.base import Method
from ..result import Result
from ..synthesis.picture_method import PictureMethod

__all__ = ["forget_kept", "keeper", "kept_on_the_way", "say_how_to_go_on"]


def kept_at(out: Path) -> Path:
    """Where the state of a run is kept that writes to `out`: film.gif.npz beside film.gif."""
    return out if out.suffix == ".npz" else out.with_name(f"{out.name}.npz")


def keeper(out: Path) -> Callable[[Result], None]:
    """What writes a result so far.

    Raises:
        CrosslensError: the file is not ours to write.
    """
    check_target(kept_at(out))

    def keep(result: Result) -> None:
        result.save(kept_at(out))

    return keep


@contextmanager
def kept_on_the_way(method: Method, out: Any) -> Iterator[None]:
    """Keep what a method with `every` has after each so many steps."""
    if not _keeps(method, out):
        yield
        return
    with keep_results(keeper(out)):
        yield


def _keeps(method: Method, out: Any) -> bool:
    return isinstance(out, Path) and isinstance(method, PictureMethod) and method.every is not None


def say_how_to_go_on(method: Method, result: Result, out: Any) -> None:
    """Remove what was kept beside the output of a run that is done; of one that was interrupted keep its end."""
    if not _keeps(method, out):
        return
    if _interrupted(result.notes) and kept_at(out) != out:
        result.save(kept_at(out))
        click.echo(f"the run's state is in '{kept_at(out)}': --resume goes on from it", err=True)
    forget_kept(out, result.notes)


def forget_kept(out: Path, notes: Sequence[str]) -> None:
    """Remove what was kept beside the output, unless the work was interrupted."""
    if kept_at(out) != out and not _interrupted(notes):
        with suppress(OSError):
            kept_at(out).unlink()


def _interrupted(notes: Sequence[str]) -> bool:
    return any(note.startswith("interrupted") for note in notes)
