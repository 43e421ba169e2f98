"""`crosslens run` for a method over a data set: one method on one model and what a text names as data."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..data import data as source_of
from ..errors import ImageError, ParameterError
from ..method.dataset import DatasetMethod
from ..result import Result
from ..result.table import Table
from ._options.executors import WORKER_OPTIONS, workers_of
from ._options.models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._options.output import STDOUT, FileOrStdout, write_to_stdout
from ._options.parameters import build_method, parameter_options
from ._options.pictures import FITTING
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.spelling import replace_keywords
from ._text.tables import JSON, echo_json

__all__ = ["dataset_command"]

ROWS = 20
"""Rows of a table that are printed; a file holds all."""
SOME_FAILED = 4
"""The exit code where some of the images could not be read: the result is that of the others."""
_DATA = click.Argument(["data"], nargs=-1, required=True)


def dataset_command(kind: type[DatasetMethod]) -> click.Command:
    """The subcommand of `crosslens run` for such a method."""
    params = [MODEL, _DATA, *parameter_options(kind), *_out(kind), *FITTING, *WORKER_OPTIONS, *MODEL_OPTIONS, JSON]
    return WritingCommand(kind.name, callback=partial(_run_method, kind), params=params, help=kind.__doc__)


def _out(kind: type[DatasetMethod]) -> Sequence[click.Option]:
    """What such a method's result can be written as, if the annotation of `finish` says of which class it is."""
    returned = kind.finish.__annotations__.get("return")
    made: type[Result] = returned if isinstance(returned, type) and issubclass(returned, Result) else Table
    endings = [ending[1:] for ending in made._suffixes]
    return [
        click.Option(["-o", "--out"], type=FileOrStdout(*made._suffixes), help=f"Write the result: {made._choices}."),
        click.Option(
            ["--format", "ending"],
            type=click.Choice(endings),
            help=f"What -o - writes to stdout; {endings[0]} if not given.",
        ),
    ]


def _ending(kind: type[DatasetMethod], out: Path | str | None, ending: str | None, as_json: bool) -> str:
    """What is written to stdout; options that would have no effect are refused before the long work."""
    if ending and out != STDOUT:
        raise ParameterError("--format says what goes to stdout, -o -; a file has its ending")
    if out == STDOUT and as_json:
        raise ParameterError("-o - and --json both write to stdout; give -o FILE, or leave one of them out")
    return f".{ending or next(iter(_out(kind)[1].type.choices))}"  # type: ignore[attr-defined]


def _run_method(
    kind: type[DatasetMethod],
    *,
    model: str,
    data: tuple[str, ...],
    out: Path | str | None,
    as_json: bool,
    **options: Any,
) -> None:
    method = build_method(kind, options)
    ending = _ending(kind, out, options["ending"], as_json)
    source = _source(method, data, options)
    with quiet(), workers_of(options) as workers, bar("images") as progress:
        result: Result = method(open_model(model, options), source, workers=workers, progress=progress)
    if out:
        _save(result, out, ending)
    for note in result.notes:
        echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    read = result.provenance["source"]
    with quiet() if out == STDOUT else nullcontext():
        if as_json:
            echo_json({"model": model, "data": " ".join(data), **_record(result), "file": out and str(out)})
        else:
            _say(result, model, data, out)
    if read["failures"]:
        click.get_current_context().exit(SOME_FAILED)


def _say(result: Result, model: str, data: Sequence[str], out: Path | str | None) -> None:
    read = result.provenance["source"]
    echo(f"{result.method} of {model} over {read['read']} of {read['images']} images in {' '.join(data)}")
    if layers := result.provenance["layers"]:
        echo(f"layer: {', '.join(layers)}" + " (the default)" * result.provenance["default_layer"])
    if (table := _table(result)) is not None:
        echo(table.text(ROWS))
    where = "stdout" if out == STDOUT else out
    echo(f"written: {where}" if out else f"nothing written: -o FILE writes it, {result._choices}")


def _save(result: Result, place: Path | str, ending: str) -> None:
    """Write the result; where it cannot be drawn, keep what the pass over the data found, and say where."""
    out = Path(f"{result.method}{ending}") if place == STDOUT else Path(place)
    try:
        if place == STDOUT:
            write_to_stdout(result, ending, None)
        else:
            result.save(out)
    except ImageError as error:
        kept = result.save(out.with_name(f"{out.name}.npz"))
        raise ImageError(f"{error}; the pass over the data is not lost: '{kept}' holds the result") from error


def _source(method: DatasetMethod, data: Sequence[str], options: Mapping[str, Any]) -> Any:
    """The data, several files as one, or what the method makes of an earlier result of its own in its place."""
    if len(data) > 1:
        return source_of(list(data), resize=options["resize"], crop=options["crop"])
    if (earlier := method.earlier(data[0])) is None:
        return source_of(data[0], resize=options["resize"], crop=options["crop"])
    if given := [name for name in ("resize", "crop", "workers", "ray") if options.get(name) is not None]:
        raise ParameterError(f"'{data[0]}' is an earlier result, whose pictures were read then: leave --{given[0]} out")
    return earlier


def _record(result: Result) -> Mapping[str, Any]:
    """The result as JSON can hold it; the columns of a table as lists."""
    table = _table(result)
    columns = {name: values.tolist() for name, values in table.columns.items()} if table is not None else {}
    return {
        "method": result.method,
        "parameters": dict(result.parameters),
        "provenance": dict(result.provenance),
        "notes": list(result.notes),
        "figures": dict(result.figures()),
        "columns": columns,
    }


def _table(result: Result) -> Table | None:
    """The result as a table, or the table that sums it up; None where it has neither."""
    return result if isinstance(result, Table) else getattr(result, "summary", None)
