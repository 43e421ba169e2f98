"""`crosslens compare`: one method on several models, side by side."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..compare import Comparison, compare
from ..image import load_image
from ..method import Method
from ..model import Model
from ..report.verdict import FIGURES, agrees, verdict, written
from ._files import Writable
from ._models import MODEL_OPTIONS, opened, quiet
from ._parameters import MethodGroup, built, parameter_options
from ._progress import bar
from ._tables import JSON, echo_json, table

__all__ = ["command", "notes", "summary"]

_MODELS = click.Argument(["specs"], metavar="MODEL MODEL...", nargs=-1, required=True)
_OUT = click.Option(
    ["-o", "--out"],
    type=Writable(".html", ".json"),
    multiple=True,
    help="Write a report (.html), or the figures (.json); can be given twice.",
)
_TARGET = click.Option(["--target"], help="What to explain, as in `run`; the first model's prediction if not given.")


def _command(kind: type[Method]) -> click.Command:
    image = click.Option(
        ["--image", "images"],
        type=click.Path(path_type=Path),
        multiple=True,
        required=kind.needs_images,
        metavar="FILE",
        help="A picture to explain; can be given several times.",
    )
    target = [_TARGET] if kind.needs_target else []
    params = [_MODELS, image, *target, *parameter_options(kind), _OUT, *MODEL_OPTIONS, JSON]
    return click.Command(kind.name, callback=partial(_compare, kind), params=params, help=kind.__doc__)


def _compare(
    kind: type[Method],
    *,
    specs: tuple[str, ...],
    images: tuple[Path, ...],
    out: tuple[Path, ...],
    as_json: bool,
    target: str | None = None,
    **options: Any,
) -> None:
    if len(specs) < 2:
        raise click.UsageError(f"comparing takes two models or more; there is {len(specs)}")
    with quiet(), bar() as progress:
        models = {name: opened(spec, options) for name, spec in zip(_names(specs), specs, strict=True)}
        pictures = _pictures(images, next(iter(models.values())))
        titles = [path.name for path in images]
        found = compare(models, built(kind, options), pictures, target, titles=titles, progress=progress)
        for path in out:
            found.save(path)
    for note in notes(found):
        click.echo(f"Note: {note}", err=True)
    if as_json:
        echo_json(found.as_json())
    else:
        click.echo(summary(found))
        click.echo("".join(f"written: {path}\n" for path in out), nl=False)


def _pictures(images: Sequence[Path], like: Model) -> Any:
    return np.concatenate([load_image(path, like=like) for path in images]) if images else None


def _names(specs: Sequence[str]) -> list[str]:
    """File names where they differ, the paths as given where they do not, numbered where those are the same."""
    names = [Path(spec).name for spec in specs]
    names = names if len(set(names)) == len(names) else list(specs)
    return [name if name not in names[:i] else f"{name} #{i + 1}" for i, name in enumerate(names)]


def notes(comparison: Comparison) -> Iterator[str]:
    """What a reader must know to trust the values, each with its method and model."""
    for (method, model), result in comparison.results.items():
        yield from (f"{method} on {model}: {note}" for note in result.notes)


def summary(comparison: Comparison) -> str:
    """Predictions, figures and verdict as text."""
    said = [
        (title, p.model, p.classes[n], p.labels[n], f"{p.probabilities[n]:.4f}")
        for n, title in enumerate(comparison.titles)
        for p in comparison.predictions
    ]
    figures = [
        (
            row["method"],
            *row["models"],
            *written(row),
            "yes" if agrees(row) else "NO",
        )
        for row in comparison.figures()
    ]
    parts = [table(["picture", "model", "class", "label", "probability"], said)] if said else []
    parts += [table(["method", "model", "and", *(figure.short for figure in FIGURES.values()), "agrees"], figures)]
    return "\n\n".join([*parts, verdict(comparison).text])


command = MethodGroup(
    "compare",
    _command,
    "METHOD MODEL MODEL... --image FILE [OPTIONS]",
    help="Explain the same pictures to several models, and measure how far the maps are apart: "
    "crosslens compare grad_cam net.pt2 net.keras net.onnx --image cat.jpg -o report.html",
)
