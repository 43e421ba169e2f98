"""`crosslens search`: try a method that makes pictures with random settings."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from ..errors import CrosslensError
from ..method.base import Method
from ..synthesis.random_search import search
from ._kept import forget_kept, keeper
from ._options.files import Writable
from ._options.models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._options.parameters import MethodGroup, build_method, parameter_options
from ._options.pictures import fitting_options, load_pictures
from ._options.writing import WritingCommand
from ._text.echo import echo
from ._text.progress import bar
from ._text.tables import JSON, echo_json
from .run import TARGET

__all__ = ["command"]

_OUT = click.Option(
    ["-o", "--out"], type=Writable(".png", ".npz"), help="Write the sheet, or every picture with its settings."
)
_TRIALS = click.Option(["--trials"], type=int, default=9, show_default=True, help="How many settings to draw.")
_VARY = click.Option(
    ["--vary"],
    multiple=True,
    metavar="NAME=VALUES",
    help="What to draw a parameter from, instead of the method's own ranges; can be repeated: learning_rate=0.01..0.1, "
    "colour=rgb,lucid, rules=decay:0.001..0.1,blur:0.3..1:4",
)
_RESUME = click.Option(
    ["--resume"], type=click.Path(path_type=Path), help="Continue a search saved as .npz, up to --trials."
)
_SEED = click.Option(["--search-seed"], type=int, default=0, show_default=True, help="Seed of the random settings.")


def _command(kind: type[Method]) -> click.Command:
    image = click.Argument(["image"], required=kind.needs_images, type=click.Path(path_type=Path))
    target = [TARGET] if kind.needs_target else []
    shared = [option for option in parameter_options(kind) if "--resume" not in option.opts]
    params = [
        MODEL,
        image,
        *target,
        _TRIALS,
        _VARY,
        _SEED,
        _RESUME,
        _OUT,
        *shared,
        *fitting_options(kind),
        *MODEL_OPTIONS,
        JSON,
    ]
    return WritingCommand(kind.name, callback=partial(_search, kind), params=params, help=kind.__doc__)


def _search(
    kind: type[Method],
    *,
    model: str,
    image: Path | None,
    trials: int,
    vary: tuple[str, ...],
    search_seed: int,
    resume: Path | None,
    out: Path | None,
    as_json: bool,
    target: str | None = None,
    **options: Any,
) -> None:
    method, ranges = build_method(kind, options), dict(map(_name_and_values, vary))
    with quiet(), bar() as progress:
        network = open_model(model, options)
        pictures = None if image is None else load_pictures([image], network, options, any_size=method.takes_any_size())
        result = search(
            *(method, network, pictures, target),
            trials=trials,
            vary=ranges or None,
            seed=search_seed,
            resume=resume,
            keep=None if out is None else keeper(out),
            progress=progress,
        )
    if out:
        result.save(out)
        forget_kept(out, result.notes)
    for note in result.notes:
        echo(f"Note: {note}", err=True)
    if as_json:
        echo_json({"model": model, "method": result.method, "parameters": result.parameters, **result.details()})
        return
    for name, caption in result.figures().items():
        echo(f"{name}: {caption}")
    echo(f"written: {out}" if out else "nothing written: -o FILE.png writes a sheet, -o FILE.npz everything")


def _name_and_values(text: str) -> tuple[str, str]:
    name, sign, values = text.partition("=")
    if not sign or not values:
        raise CrosslensError(
            f"--vary {text!r} is not of the form NAME=VALUES, with a range such as 0.01..0.1 for VALUES"
        )
    return name.strip().replace("-", "_"), values


command = MethodGroup(
    "search",
    _command,
    "METHOD MODEL [IMAGE] [OPTIONS]",
    images_only=True,
    shared=[TARGET, _TRIALS, _VARY, _SEED, _RESUME, _OUT, *MODEL_OPTIONS, JSON],
    short_help="Try a method that makes pictures with random settings.",
    help="Try a method that makes pictures with random settings, and show all on one sheet: "
    "crosslens search activation_maximisation net.onnx --target 281 --trials 9 -o sheet.png",
)
