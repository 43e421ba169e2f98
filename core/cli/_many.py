"""`crosslens run` on many pictures: an output for each in a folder, or one result of all."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..execution.workers import Workers
from ..picture_run.index import Record
from ..picture_run.job import PictureJob
from ..picture_run.outcomes import merged_notes
from ..picture_run.picture_list import find_pictures, is_pattern
from ..picture_run.run import PictureRun
from ._text.echo import echo
from ._text.progress import bar
from ._text.spelling import replace_keywords
from ._text.tables import table

__all__ = ["SOME_FAILED", "are_many", "failure_line", "run_into_folder", "say_failures", "say_pictures"]

SOME_FAILED = 4
"""The exit code where some of the pictures failed: the result is that of the others."""
ROWS = 20
"""Pictures that are printed, a line each; an index or JSON holds all."""


def are_many(places: Sequence[Path]) -> bool:
    """Whether they may be more than one picture: several, a folder, a pattern."""
    return len(places) > 1 or any(place.is_dir() or is_pattern(place) for place in places)


def run_into_folder(
    job: PictureJob, places: Sequence[Path], folder: Path, formats: Sequence[str], again: bool, workers: Workers
) -> tuple[Record, ...]:
    """Do what is not finished in the folder, and say how to go on where that is interrupted; the index's lines.

    Args:
        job: the method, the model and the target.
        places: files, folders and patterns.
        folder: where the outputs go.
        formats: endings of the outputs.
        again: do what is finished once more.
        workers: who does it.
    """
    run = PictureRun(job, find_pictures(places, folder), folder, formats, again=again)
    count = len(run.pictures)
    if run.before:
        echo(f"{run.before} of {count} pictures are finished already (--again does them anew)", err=True)
    try:
        with bar("pictures") as progress:
            for _ in run.records(progress, workers):
                pass
    except KeyboardInterrupt:
        done = len(run.summary().records)
        echo(f"{done} of {count} pictures are finished in '{folder}'; the same command goes on", err=True)
        raise
    return run.summary().records


def say_pictures(what: str, records: Sequence[Record], written: str) -> None:
    """Print how many pictures were done, a line for each of a few, the layers, and what was written."""
    done = [each for each in records if "error" not in each]
    seconds = sum(each["seconds"] for each in done)
    echo(f"{what} on {len(done)} of {len(records)} pictures, {seconds:.1f} s")
    rows = [_row(each) for each in done[:ROWS]]
    names = list(dict.fromkeys(name for row in rows for name in row))
    echo(table(names, [[row.get(name, "") for name in names] for row in rows]))
    if len(done) > ROWS:
        echo(f"... and {len(done) - ROWS} more")
    if layers := list(dict.fromkeys(layer for each in done for layer in each["layers"])):
        echo(f"layer: {', '.join(layers)}")
    echo(written)


def _row(record: Record) -> Mapping[str, Any]:
    """What is printed of a picture."""
    shown = {
        name: record[name]
        for name in ("name", "class", "label", "probability", "score")
        if record.get(name) is not None
    }
    return {
        name: f"{value:.4g}" if isinstance(value, float) else value
        for name, value in (shown | dict(record.get("figures", {}))).items()
    }


def say_failures(records: Sequence[Record]) -> None:
    """Notes, each once with the number of its pictures, and the pictures that failed, on stderr; exit code 4 if any."""
    context = click.get_current_context()
    for note, count in merged_notes(records).items():
        echo(f"Note ({count} of {len(records)} pictures): {replace_keywords(note, context)}", err=True)
    failed = [each for each in records if "error" in each]
    for each in failed:
        echo(failure_line(each["file"], replace_keywords(each["error"], context)), err=True)
    if failed:
        context.exit(SOME_FAILED)


def failure_line(file: str, reason: str) -> str:
    """The line for a picture that failed; most reasons name the file."""
    return f"Failed: {reason}" if f"'{file}'" in reason else f"Failed: {file}: {reason}"
