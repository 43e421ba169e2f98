"""`crosslens sweep`: run several methods over a data set at once, into a folder."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..data import data as source_of
from ..method.base import Method
from ..method.dataset import AnyMethod, DatasetMethod
from ..method.preset import with_preset
from ..plugins.registry import method_class, with_parameters
from ..result import Result
from ..survey.survey import Survey
from ..survey.sweep import sweep
from ._dataset import SOME_FAILED
from ._options.executors import WORKER_OPTIONS, workers_of
from ._options.method_words import convert_setting, read_method
from ._options.models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._options.parameters import parameter_options, tell_difference
from ._options.pictures import FITTING
from ._text.echo import echo
from ._text.progress import bar
from ._text.spelling import replace_keywords
from ._text.tables import JSON, echo_json

__all__ = ["command"]

_WORDS = "crosslens: the words of a sweep's command"
EXAMPLES = """\b
Examples:
  crosslens sweep net.onnx photos unit_statistics top_examples -o survey
  crosslens sweep net.pt2 x.npz mean_activation:layer=conv5 -o s --workers 4
  crosslens sweep net.keras x.tar top_examples:count=9 -o survey --ray auto

A sweep that was stopped goes on when the same command is called again, and ends with the same bytes. A finished one
takes more methods: what it has gathered is not gathered again. README.md in the folder says what each file and column
is; crosslens.load("survey") opens it in Python."""


class _Sweep(click.Command):
    """A command that remembers how it was called."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = [word for word in args if word != "--again"]
        return super().parse_args(ctx, args)


def _sweep(
    *, model: str, data: str, methods: tuple[str, ...], out: Path, as_json: bool, again: bool, **options: Any
) -> None:
    chosen = [_method(word) for word in methods]
    source = source_of(data, resize=options["resize"], crop=options["crop"])
    running = {name: options[name] for name in ("workers", "ray")} | {"allow_mixed": options["allow_mixed"]}
    with quiet(), workers_of(options, threads=1) as workers, bar("images") as progress:
        running |= {"ray": workers.ray, "threads": workers.threads}
        network = open_model(model, options)
        try:
            survey = sweep(network, source, chosen, store=out, progress=progress, again=again, **running)
        except KeyboardInterrupt:
            _say_how_to_go_on(out)
            raise
    _say(survey, model, data, as_json)
    if any(survey.images["failure"]):
        click.get_current_context().exit(SOME_FAILED)


def _method(word: str) -> DatasetMethod | type[Method]:
    """The method of a word such as top_examples:count=9; the class of one on single images, which a sweep refuses."""
    read, context = read_method(word, method_class), click.get_current_context()
    tell_difference(word.partition(":")[0])
    kind: type[AnyMethod] = read.kind
    if issubclass(kind, Method):
        return kind
    options = {str(each.name).removeprefix("parameter_"): each for each in parameter_options(kind)}
    values = {name: convert_setting(options[name], text, context) for name, text in read.settings.items()}
    preset = values.pop("preset", None)
    return with_parameters(with_preset(kind, preset) if preset else kind, values)


def _say_how_to_go_on(out: Path) -> None:
    words = shlex.join(click.get_current_context().meta[_WORDS])
    echo(f"what was gathered is kept in '{out}'; to go on: crosslens sweep {words}", err=True)


def _say(survey: Survey, model: str, data: str, as_json: bool) -> None:
    failed = [reason for reason in survey.images["failure"].tolist() if reason]
    notes = dict.fromkeys(note for each in survey.values() for note in each.notes)
    for note in notes:
        echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    if as_json:
        records = {name: _record(result, survey.files(name)) for name, result in survey.items()}
        read = {"images": len(survey.images), "failed": len(failed)}
        echo_json({"model": model, "data": data, **read, "folder": str(survey.folder), "results": records})
        return
    count = len(survey.images)
    echo(f"{len(survey)} results of {model} over {count - len(failed)} of {count} images in {data}")
    for name, result in survey.items():
        echo(f"{name}: {repr(result).partition(': ')[2].rstrip('>')}")
        for path in survey.files(name):
            echo(f"  {path}")
    echo(f"written: {survey.folder} (README.md there says what each file is)")


def _record(result: Result, files: Sequence[Path]) -> Mapping[str, Any]:
    return {
        "method": result.method,
        "parameters": dict(result.parameters),
        "notes": list(result.notes),
        "files": [str(path) for path in files],
    }


command = _Sweep(
    "sweep",
    callback=_sweep,
    short_help="Run several methods over a data set at once, into a folder.",
    help="Run methods over a data set, one forward pass per image and round for all of them together, into a folder "
    "with a table of the images, thumbnails, and each method's results, tables and sheets.\n\nDATA is what `crosslens "
    "run` takes: a folder of pictures, an array file, an archive, package.module:factory. A METHOD's settings stand "
    "behind it, several values of one by commas: top_examples:layers=bn2,bn3,count=9; a value that holds = is quoted, "
    "layers='a=1,b'. `crosslens methods` lists those over a data set.",
    epilog=EXAMPLES,
    params=[
        MODEL,
        click.Argument(["data"]),
        click.Argument(["methods"], metavar="METHOD[:NAME=VALUE,...]...", nargs=-1, required=True),
        click.Option(
            ["-o", "--out"], type=click.Path(path_type=Path), required=True, metavar="FOLDER", help="Where it is kept."
        ),
        *WORKER_OPTIONS,
        click.Option(["--again"], is_flag=True, help="Begin anew: what a survey in the folder holds is deleted."),
        click.Option(
            ["--allow-mixed"],
            is_flag=True,
            help="Go on with a survey begun on another type of processor, whose last bits may differ; it is recorded.",
        ),
        *FITTING,
        *MODEL_OPTIONS,
        JSON,
    ],
)
