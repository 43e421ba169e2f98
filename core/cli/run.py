"""`crosslens run`: explain pictures to a model with one method."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import ImageError, ParameterError
from ..execution.threads import computes_with
from ..execution.workers import Workers
from ..image.false_colour import check_bands
from ..method.base import Method, gives
from ..method.dataset import AnyMethod, DatasetMethod
from ..model.base import Model
from ..objective import ClassScore, Objective
from ..objective.target import resolve_target
from ..picture_run.batches import explained_classes
from ..picture_run.job import PictureJob
from ..picture_run.joined import joined_result, save_joined
from ..picture_run.picture_list import find_pictures
from ..result import Attribution, Result
from ..result.display import FORMS
from ..result.formats import PICTURES
from ..synthesis.picture_method import PictureMethod
from ._dataset import dataset_command
from ._kept import kept_on_the_way, say_how_to_go_on
from ._many import SOME_FAILED, are_many, failure_line, run_into_folder, say_failures, say_pictures
from ._options.executors import WORKER_OPTIONS, workers_of
from ._options.files import Writable, check_animation, check_snapshots
from ._options.models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._options.output import STDOUT, Folder, Output, write_to_stdout
from ._options.parameters import MethodGroup, build_method, parameter_options
from ._options.pictures import BANDS, FITTING, fitting_options, load_all, load_pictures
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.result_text import result_record, say_result, short
from ._text.spelling import replace_keywords
from ._text.tables import JSON, echo_json

__all__ = ["TARGET", "command", "method_params", "run_method"]

_STILLS = (".png", ".jpg", ".webp", ".npz")
_ANIMATIONS = (*_STILLS, ".gif", ".mp4")
_OUT_HELP = (
    "Write a file ({}: a picture, raw values and provenance, an animation), an output for each of many pictures into "
    "FOLDER/ with an index.jsonl (a stopped run goes on when it is called again), or - for stdout."
)
_AGAIN = click.Option(
    ["--again"],
    is_flag=True,
    help="Do pictures anew that are finished in the folder, and replace other settings' results.",
)
TARGET = click.Option(
    ["--target"],
    metavar="TARGET",
    help="What to explain: a class number, a label, probability:281, output:281, channel:LAYER:11, "
    "neuron:LAYER:11:3:4 (of tokens neuron:LAYER:UNIT:TOKEN), region:LAYER:CHANNEL:MASK.png, on maps of classes "
    "mask:MASK.png:CLASS and box:X0:Y0:X1:Y1:CLASS, "
    "layer:LAYER, strongest:LAYER (the sum of its strongest channel), "
    "negative:LAYER:11, interpolate:LAYER:3:11:0.5, random_direction:LAYER:0, "
    "cosine:LAYER:0:2, direction:LAYER:FILE.npy:0, diversity:LAYER, norm:6, "
    "total_variation:2, or these with + - * / and numbers, such as '(281 + 285) / 2 - 0.01 * total_variation:2'; "
    "'A | B' makes a picture for each; the predicted class if not given (of one sigmoid the positive class).",
)


_HISTORY = click.Option(
    ["--history"],
    type=Writable(".png", ".svg"),
    help="Plot the objective step by step (needs matplotlib: pip install 'crosslens[plot]').",
)


_FORM = click.Option(
    ["--form"],
    type=click.Choice(list(FORMS)),
    help="How the map is drawn: "
    + "; ".join(f"{name}, {text}" for name, text in FORMS.items())
    + ". Magnitudes where each pixel has values of its own (gradients), else the overlay.",
)


def _out(endings: Sequence[str]) -> click.Option:
    return click.Option(["-o", "--out"], type=Output(*endings), help=_OUT_HELP.format(", ".join(endings)))


def _of_rows(kind: type[Method]) -> Sequence[str]:
    """The endings of tables, where the annotation of `run` says that the result has rows beside its picture."""
    returned = kind.run.__annotations__.get("return")
    known = getattr(returned, "_suffixes", ()) if isinstance(returned, type) else ()
    return [each for each in (".csv", ".parquet") if each in known]


def _command(kind: type[AnyMethod]) -> click.Command:
    if issubclass(kind, DatasetMethod):
        return dataset_command(kind)
    return WritingCommand(kind.name, callback=partial(run_method, kind), params=method_params(kind), help=kind.__doc__)


def method_params(kind: type[Method]) -> list[click.Parameter]:
    """The arguments and options of a command that runs one method on pictures."""
    endings = (*(_ANIMATIONS if kind.animates else _STILLS), *_of_rows(kind))
    places = click.Argument(["pictures"], nargs=-1, required=kind.needs_images, type=click.Path(path_type=Path))
    return [
        MODEL,
        places,
        *([TARGET] if kind.needs_target else []),
        *parameter_options(kind),
        _out(endings),
        click.Option(
            ["--format", "formats"],
            multiple=True,
            type=click.Choice([ending[1:] for ending in endings]),
            help="Endings of the outputs in a folder, or of what goes to stdout; can be given several times.",
        ),
        _AGAIN,
        *WORKER_OPTIONS,
        *([_HISTORY] if issubclass(kind, PictureMethod) else []),
        *([_FORM] if gives(kind, Attribution) else []),
        BANDS,
        *fitting_options(kind),
        *MODEL_OPTIONS,
        JSON,
    ]


def run_method(kind: type[Method], *, model: str, pictures: tuple[Path, ...], **options: Any) -> None:
    """Run a method as the values of `method_params` say."""
    method: Method = build_method(kind, options)
    _check_output(options, pictures)
    for ending in options["formats"]:
        check_animation(method, Path(f"each.{ending}"))
    file = options["out"] if isinstance(options["out"], Path) else None
    check_animation(method, file)
    if file is not None or isinstance(options["out"], Folder):
        check_snapshots(method, [file.suffix] if file else [f".{each}" for each in options["formats"] or ("png",)])
    jointly = not kind.needs_images or not kind.batched
    into_folder = isinstance(options["out"], Folder)
    run = _run_each if into_folder else _run_one if jointly or not are_many(pictures) else _run_joined
    run(method, model, pictures, options)


def _check_output(options: Mapping[str, Any], pictures: Sequence[Path]) -> None:
    """Refuse options that would have no effect, before the long work."""
    out, formats = options["out"], options["formats"]
    folder, piped = isinstance(out, Folder), out == STDOUT
    if formats and not folder and not (piped and len(formats) == 1):
        raise ParameterError(
            "--format says what is written into a folder, -o FOLDER/, or, once, what goes to stdout, -o -; a file has "
            "its ending"
        )
    if piped and options["as_json"]:
        raise ParameterError("-o - and --json both write to stdout; give -o FILE, or leave one of them out")
    if options["again"] and not folder:
        raise ParameterError("--again is for -o FOLDER/, where finished pictures are skipped; a file is written anew")
    if folder and not pictures:
        raise ParameterError(f"'{out}' is a folder, for an output of each picture, and there is none; give -o FILE")
    if folder and options.get("history"):
        raise ParameterError(f"--history plots one run, and '{out}' is a folder for many; give one picture and -o FILE")
    ending = f".{(formats or ('png',))[0]}" if folder or piped else out and out.suffix
    if options.get("form") and ending not in PICTURES:
        raise ParameterError("--form says how a picture is drawn; give -o FILE.png as well")


def _job(method: Method, model: str, options: Mapping[str, Any]) -> PictureJob:
    form, bands = options.get("form"), options["bands"]
    network, target = open_model(model, options), options.get("target")
    return PictureJob(method, network, target, form, bands, options.get("resize"), options.get("crop"))


def _run_each(method: Method, model: str, pictures: tuple[Path, ...], options: Mapping[str, Any]) -> None:
    """An output for each picture, and an index, in a folder."""
    out, formats, again = options["out"].path, options["formats"], options["again"]
    with quiet(), workers_of(options) as workers:
        records = run_into_folder(_job(method, model, options), pictures, out, formats, again, workers)
    if options["as_json"]:
        echo_json({"model": model, "method": method.name, "pictures": list(records), "folder": str(out)})
    else:
        say_pictures(f"{method.name} of {model}", records, f"written: {out / 'index.jsonl'}, and the outputs it names")
    say_failures(records)


def _run_joined(method: Method, model: str, pictures: tuple[Path, ...], options: Mapping[str, Any]) -> None:
    """One result of all pictures."""
    with quiet(), workers_of(options) as workers, bar("pictures") as progress:
        result, records = joined_result(_job(method, model, options), find_pictures(pictures), progress, workers)
    written = _write(result, options)
    with _text_beside(options):
        if options["as_json"]:
            head = {"model": model, "pictures": list(records), **result_record(result)}
            echo_json({**head, "file": options["out"] and str(options["out"])})
        else:
            for name, value in result.figures().items():
                echo(f"{name}: {short(value)} (the mean)")
            say_pictures(f"{method.name} of {model}", records, written)
    say_failures(records)


def _run_one(method: Method, model: str, pictures: tuple[Path, ...], options: Mapping[str, Any]) -> None:
    """One picture, or pictures that the method takes together."""
    image = ", ".join(map(str, pictures)) or None
    with quiet(), workers_of(options) as workers, bar() as progress:
        _refuse_workers(workers, method)
        network = open_model(model, options)
        batch, failed = _pictures(pictures, network, method, options)
        count = None if batch is None else batch.shape[0]
        objective = resolve_target(options["target"], network, count) if method.needs_target else None
        check_bands(options["bands"], network.input.example_shape[0])
        with computes_with(network, workers.threads), kept_on_the_way(method, options["out"]):
            result: Result = replace(method(network, batch, objective, progress=progress), bands=options["bands"])
            explained = {} if objective is None or batch is None else _explained_class(network, objective, batch)
    written = _write(result, options)
    say_how_to_go_on(method, result, options["out"])
    for note in result.notes:
        echo(f"Note: {replace_keywords(note, click.get_current_context())}", err=True)
    record = {"model": model, "image": image, **result_record(result), "target": explained}
    with _text_beside(options):
        if options["as_json"]:
            echo_json({**record, "file": options["out"] and str(options["out"])})
        else:
            say_result(record, result, method, written)
    for path, error in failed.items():
        echo(failure_line(str(path), replace_keywords(str(error), click.get_current_context())), err=True)
    if failed:
        click.get_current_context().exit(SOME_FAILED)


def _refuse_workers(workers: Workers, method: Method) -> None:
    """Refuse to share what is one piece of work."""
    if not workers.here:
        what = f"{method.name} takes all pictures at once" if not method.batched else "there is one"
        raise ParameterError(f"--workers and --ray share many pictures, and {what}: leave them out")


def _write(result: Result, options: Mapping[str, Any]) -> str:
    """Write the result where it was asked for; what is said of that."""
    out, form = options["out"], options.get("form")
    if options.get("history"):
        result.save_history(options["history"])  # type: ignore[attr-defined]  # the option is there for a Synthesis only
    if out is None:
        return "nothing written: -o FILE.png writes a picture, -o FILE.npz raw values"
    if out == STDOUT:
        write_to_stdout(result, f".{(options['formats'] or ('png',))[0]}", form)
        return "written: stdout"
    if "pictures" in result.provenance:
        save_joined(result, out, form)
    else:
        result.save(out, form)
    return f"written: {out}"


def _text_beside(options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Send text to stderr where the result itself goes to stdout."""
    return quiet() if options["out"] == STDOUT else nullcontext()


def _pictures(
    places: Sequence[Path], model: Model, method: Method, options: Mapping[str, Any]
) -> tuple[Any, Mapping[Path, ImageError]]:
    """A picture, or several as one batch, None for none; and those of several that cannot be read."""
    if len(places) == 1 and not are_many(places):
        return load_pictures(places, model, options, any_size=method.takes_any_size()), {}
    return load_all([each.path for each in find_pictures(places)], model, options) if places else (None, {})


def _explained_class(model: Model, objective: Objective, pictures: Any) -> Mapping[str, Any]:
    """The class that was explained; nothing where it was no class, or not the same of all pictures."""
    if not isinstance(objective, ClassScore):
        return {}
    if len(pictures) > 1 and not isinstance(objective.target, int):
        return {}
    first = objective.select(0, 1)
    assert isinstance(first, ClassScore)
    return explained_classes(model, first, pictures[:1, ...])[0]


command = MethodGroup(
    "run",
    _command,
    "METHOD MODEL [PICTURES...] [OPTIONS]",
    shared=[TARGET, _out(_STILLS), *WORKER_OPTIONS, BANDS, *FITTING, *MODEL_OPTIONS, JSON],
    short_help="Explain a picture to a model with one method.",
    help="Explain pictures to a model with one method: crosslens run grad_cam net.onnx cat.jpg -o cat.png, "
    "or each of many: crosslens run grad_cam net.onnx photos -o maps/",
)
