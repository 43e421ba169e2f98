"""`crosslens compare`: explain the same pictures to several models, and compare."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..attack import AttackMethod
from ..comparison.aggregate import Limit
from ..comparison.compare import compare
from ..comparison.runs import Skipped, left_out
from ..errors import ComparisonError
from ..image.false_colour import check_bands
from ..method.base import Method
from ..method.preset import with_preset
from ._many import SOME_FAILED, failure_line
from ._options.files import Writable
from ._options.method_words import MethodWord, convert_setting, is_method_word, read_method
from ._options.models import OPTIONS_OF_MODELS, open_models, quiet
from ._options.parameters import MethodGroup, parameter_options, tell_difference
from ._options.pictures import ARRAYS, BANDS, FITTING, SUFFIXES, fitting_options, load_all, picture_files, titles
from ._options.writing import WritingCommand
from ._text.comparison import notes, summary
from ._text.echo import echo
from ._text.progress import bar
from ._text.spelling import remember_command
from ._text.tables import echo_json
from .align import distinct_names

__all__ = ["command"]

LIMIT_PASSED = 3
"""The exit code where a limit of --fail-over is passed."""

_GIVEN = click.Argument(["given"], metavar="MODEL MODEL...", nargs=-1, required=True)
_IMAGES = click.Option(
    ["--images", "--image", "images"],
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE|FOLDER",
    help="Pictures to explain; several files may follow, and the option can be repeated.",
)
_OUT = click.Option(
    ["-o", "--out"],
    type=Writable(".html", ".json"),
    multiple=True,
    help="Write a report (.html), or the figures (.json); can be given twice.",
)
_TARGET = click.Option(["--target"], help="What to explain, as in `run`; the first model's prediction if not given.")
_TRANSFER = click.Option(
    ["--transfer"],
    is_flag=True,
    help="Of attacks, show the matrix of the pictures made on each model, tried on each other one.",
)
_LIMITS = click.Option(
    ["--fail-over", "limits"],
    multiple=True,
    metavar="FIGURE=NUMBER",
    help="End with exit code 3 if this figure of any picture passes the number: relative_l2=1e-3.",
)


class _OnStdout(Writable):
    """A file to write, or "-" for stdout, which an option without a value means."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "-" else super().convert(value, param, ctx)


_JSON = click.Option(
    ["--json", "json_file"],
    type=_OnStdout(".json"),
    is_flag=False,
    flag_value="-",
    metavar="[FILE]",
    help="Print JSON instead of text; with a FILE, write it there.",
)


def _command(words: Sequence[MethodWord]) -> click.Command:
    kinds = tuple(dict.fromkeys(word.kind for word in words))
    target = [_TARGET] if any(kind.needs_target for kind in kinds) else []
    target += [_TRANSFER] if any(issubclass(kind, AttackMethod) for kind in kinds) else []
    params = [
        _GIVEN,
        _IMAGES,
        *target,
        *_common_options(kinds),
        _OUT,
        BANDS,
        *fitting_options(*kinds),
        *OPTIONS_OF_MODELS,
        _LIMITS,
        _JSON,
    ]
    text = "\n\n".join(kind.__doc__ or "" for kind in kinds)

    def run(**options: Any) -> None:
        _compare(words, **options)

    return WritingCommand(" ".join(kind.name for kind in kinds), callback=run, params=params, help=text)


def _common_options(kinds: tuple[type[Method], ...]) -> list[click.Parameter]:
    """The methods' parameters as options; one that several methods have is read by each of them as its own."""
    comparison: dict[str, list[click.Parameter]] = {}
    for option in (option for kind in kinds for option in parameter_options(kind)):
        comparison.setdefault(str(option.name), []).append(option)
    return [
        same[0] if len(same) == 1 or _is_flag(same[0]) else _as_text_option(same[0]) for same in comparison.values()
    ]


def _is_flag(option: click.Parameter) -> bool:
    return isinstance(option, click.Option) and option.is_flag


def _as_text_option(option: click.Parameter) -> click.Option:
    """An option of the same name that takes any text; each method's own says what it may be."""
    return click.Option([str(option.name), *option.opts], help=getattr(option, "help", None))


def _build_method(word: MethodWord, options: Mapping[str, Any]) -> Method:
    """A method with its own settings, and with the options that were given and that it has; else its defaults."""
    context, kind = click.get_current_context(), word.kind
    given = {}
    for option in parameter_options(kind):
        name = str(option.name)
        if (setting := name.removeprefix("parameter_")) in word.settings:
            given[name] = convert_setting(option, word.settings[setting], context)
        elif context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            value = options[name]
            given[name] = option.type.convert(value, option, context) if isinstance(value, str) else value
    preset = given.pop("preset", None)
    values = {name.removeprefix("parameter_"): value for name, value in given.items()}
    built: type[Method] = with_preset(kind, preset) if preset else kind
    return built(**values)


def _compare(
    words: Sequence[MethodWord],
    *,
    given: tuple[str, ...],
    images: tuple[Path, ...],
    out: tuple[Path, ...],
    limits: tuple[str, ...],
    json_file: str | Path | None,
    target: str | None = None,
    transfer: bool = False,
    bands: tuple[int, ...] | None = None,
    **options: Any,
) -> None:
    specs = [each for each in given if Path(each).suffix.lower() not in SUFFIXES | ARRAYS]
    files = picture_files([*images, *(Path(each) for each in given if each not in specs)])
    kept = [Limit.read(text) for text in limits]
    _check(words, specs, files)
    chosen = {word.label: _build_method(word, options) for word in words}
    with quiet(), bar("results") as progress:
        models = dict(zip(distinct_names(specs), open_models(specs, options), strict=True))
        pictures, failed = load_all(files, next(iter(models.values())), options)
        named = titles([path for path in files if path not in failed])
        check_bands(bands, next(iter(models.values())).input.example_shape[0])
        comparison = compare(
            models, chosen, pictures, target, titles=named, layers=True, transfer=transfer, progress=progress
        )
        unread = tuple(Skipped(None, None, str(error), str(path)) for path, error in failed.items())
        results = {key: replace(each, bands=bands) for key, each in comparison.results.items()}
        comparison = replace(comparison, results=results, skipped=(*comparison.skipped, *unread))
        written = [comparison.save(path) for path in (*out, *([json_file] if isinstance(json_file, Path) else []))]
    for note in notes(comparison):
        echo(f"Note: {note}", err=True)
    if json_file == "-":
        echo_json(comparison.as_json())
    else:
        echo(summary(comparison))
        for path in written:
            echo(f"written: {path}")
    passed = [f"Limit passed: {text}" for text in comparison.passed(kept)]
    lines = [failure_line(str(path), str(error)) for path, error in failed.items()]
    lines += [f"Left out: {each}" for each in left_out([one for one in comparison.skipped if one not in unread])]
    for line in (*lines, *passed):
        echo(line, err=True)
    if lines or passed:
        click.get_current_context().exit(LIMIT_PASSED if passed else SOME_FAILED)


def _check(words: Sequence[MethodWord], specs: list[str], files: list[Path]) -> None:
    labels = [word.label for word in words]
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise ComparisonError(f"{', '.join(twice)} is given twice; give each its own settings: {twice[0]}:layer=bn3")
    if len(specs) < 2:
        raise click.UsageError(f"comparing takes two models or more; there is {len(specs)}")
    asking = [word.kind.name for word in words if word.kind.needs_images]
    if asking and not files:
        raise click.UsageError(f"Missing option '--images': {', '.join(asking)} explains pictures; give FILE or FOLDER")


class _Methods(MethodGroup):
    """Several methods may stand before the models."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = [args[0], *takewhile(is_method_word, args[1:])]
        command = _command([read_method(name) for name in names])
        for name in names:
            tell_difference(name.partition(":")[0])
        remember_command(ctx, command)
        return names[0], command, args[len(names) :]


command = _Methods(
    "compare",
    lambda kind: _command([MethodWord(kind.name, kind, {})]),
    "METHOD[:NAME=VALUE,...]... MODEL MODEL... --images FILE|FOLDER [OPTIONS]",
    images_only=True,
    shared=[_IMAGES, _TARGET, _OUT, BANDS, *FITTING, *OPTIONS_OF_MODELS, _LIMITS, _JSON],
    short_help="Explain the same pictures to several models, and compare.",
    help="Explain the same pictures to several models, and measure how much the maps differ: "
    "crosslens compare grad_cam gradient net.pt2 net.keras net.onnx --images photos -o report.html. "
    "A method's own settings stand behind it: grad_cam:layer=bn3 integrated_gradients:steps=100. "
    "A value with commas and = in it is quoted: 'grad_cam:layer=\"a=1,b\"'.",
)
