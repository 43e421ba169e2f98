"""`crosslens compare`: one or more methods on several models, side by side."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ..comparison.aggregate import Limit
from ..comparison.compare import compare
from ..image.false_colour import check_bands
from ..method.base import Method, with_preset
from ..plugins.registry import image_method_class, methods
from ._comparison import notes, summary
from ._files import Writable, WritingCommand
from ._models import OPTIONS_OF_MODELS, open_models, quiet
from ._parameters import MethodGroup, parameter_options
from ._pictures import ARRAYS, BANDS, SUFFIXES, load_pictures, picture_files, titles
from ._progress import bar
from ._spelling import remember_command
from ._tables import echo_json
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


def _command(kinds: tuple[type[Method], ...]) -> click.Command:
    target = [_TARGET] if any(kind.needs_target for kind in kinds) else []
    params = [_GIVEN, _IMAGES, *target, *_common_options(kinds), _OUT, BANDS, *OPTIONS_OF_MODELS, _LIMITS, _JSON]
    text = "\n\n".join(kind.__doc__ or "" for kind in kinds)

    def run(**options: Any) -> None:
        _compare(kinds, **options)

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


def _build_method(kind: type[Method], options: Mapping[str, Any]) -> Method:
    """A method with the options that were given and that it has; its own defaults for the rest."""
    context = click.get_current_context()
    given = {}
    for option in parameter_options(kind):
        name = str(option.name)
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            value = options[name]
            given[name] = option.type.convert(value, option, context) if isinstance(value, str) else value
    preset = given.pop("preset", None)
    values = {name.removeprefix("parameter_"): value for name, value in given.items()}
    return (with_preset(kind, preset) if preset else kind)(**values)


def _compare(
    kinds: tuple[type[Method], ...],
    *,
    given: tuple[str, ...],
    images: tuple[Path, ...],
    out: tuple[Path, ...],
    limits: tuple[str, ...],
    json_file: str | Path | None,
    target: str | None = None,
    bands: tuple[int, ...] | None = None,
    **options: Any,
) -> None:
    specs = [each for each in given if Path(each).suffix.lower() not in SUFFIXES | ARRAYS]
    files = picture_files([*images, *(Path(each) for each in given if each not in specs)])
    kept = [Limit.read(text) for text in limits]
    _check(kinds, specs, files)
    chosen = [_build_method(kind, options) for kind in kinds]
    with quiet(), bar() as progress:
        models = dict(zip(distinct_names(specs), open_models(specs, options), strict=True))
        pictures = load_pictures(files, next(iter(models.values())))
        check_bands(bands, next(iter(models.values())).input.example_shape[0])
        comparison = compare(models, chosen, pictures, target, titles=titles(files), layers=True, progress=progress)
        comparison = replace(
            comparison, results={key: replace(each, bands=bands) for key, each in comparison.results.items()}
        )
        written = [comparison.save(path) for path in (*out, *([json_file] if isinstance(json_file, Path) else []))]
    for note in notes(comparison):
        click.echo(f"Note: {note}", err=True)
    if json_file == "-":
        echo_json(comparison.as_json())
    else:
        click.echo(summary(comparison))
        click.echo("".join(f"written: {path}\n" for path in written), nl=False)
    if failed := comparison.passed(kept):
        click.echo("".join(f"Limit passed: {text}\n" for text in failed), nl=False, err=True)
        click.get_current_context().exit(LIMIT_PASSED)


def _check(kinds: tuple[type[Method], ...], specs: list[str], files: list[Path]) -> None:
    if len(specs) < 2:
        raise click.UsageError(f"comparing takes two models or more; there is {len(specs)}")
    asking = [kind.name for kind in kinds if kind.needs_images]
    if asking and not files:
        raise click.UsageError(f"Missing option '--images': {', '.join(asking)} explains pictures; give FILE or FOLDER")


class _Methods(MethodGroup):
    """Several methods may stand before the models."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        names = args[:1]
        for word in args[1:]:
            if word not in methods() and not _looks_like_method(word):
                break
            names.append(word)
        command = _command(tuple(map(image_method_class, names)))
        remember_command(ctx, command)
        return names[0], command, args[len(names) :]


def _looks_like_method(word: str) -> bool:
    """Whether a word cannot be a model, so that it must be a misspelled method."""
    return word.replace("_", "").isalnum() and not Path(word).exists()


command = _Methods(
    "compare",
    lambda kind: _command((kind,)),
    "METHOD... MODEL MODEL... --images FILE|FOLDER [OPTIONS]",
    images_only=True,
    shared=[_IMAGES, _TARGET, _OUT, BANDS, *OPTIONS_OF_MODELS, _LIMITS, _JSON],
    short_help="Explain the same pictures to several models, and compare.",
    help="Explain the same pictures to several models, and measure how much the maps differ: "
    "crosslens compare grad_cam gradient net.pt2 net.keras net.onnx --images photos -o report.html",
)
