"""`crosslens diverge`: find the first layer where two versions of a network differ."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from ..alignment.divergence import Divergence, diverge
from ..comparison.aggregate import Limit
from ..comparison.figures import FIGURES, Figure
from ._options.models import MODEL_OPTIONS, open_model, quiet
from ._options.pictures import FITTING, load_pictures
from ._text.echo import echo
from ._text.progress import bar
from ._text.tables import JSON, echo_json, table
from .align import IMAGES, distinct_names

__all__ = ["command", "summary"]

FAULT_FOUND = 3
"""The exit code where a layer differs by more than rounding, or a limit of --fail-over is passed."""
LIMITED: Mapping[str, Figure] = {
    "relative_l2": FIGURES["relative_l2"],
    "correlation": FIGURES["correlation"],
    "own": Figure("own", "The largest relative error that one layer adds by itself."),
}
"""What --fail-over limits: the first two are of the networks' outputs."""

_MODELS = [click.Argument(["reference"]), click.Argument(["model"])]
_PREPROCESS = click.Option(
    ["--preprocess-of-model"],
    metavar="PREPROCESS",
    help="Preprocessing of MODEL, where it is not that of --preprocess; in the same forms.",
)
_LIMITS = click.Option(
    ["--fail-over", "limits"],
    multiple=True,
    metavar="FIGURE=NUMBER",
    help="End with exit code 3 if this figure passes the number, instead of at every fault: relative_l2=1e-3 or "
    "correlation=0.999 of the outputs, own=0.01, the most that one layer adds.",
)


def _diverge(
    reference: str,
    model: str,
    images: tuple[Path, ...],
    as_json: bool,
    preprocess_of_model: str | None,
    limits: tuple[str, ...],
    **options: Any,
) -> None:
    """Find the first layer where two versions of a network differ.

    The versions are compared layer by layer; the cause is named, if it is one of those that crosslens knows.

    REFERENCE is right by definition: crosslens diverge net.pt2 net.onnx --image cat.jpg

    The exit code is 3 where a layer differs by more than rounding.
    """
    kept = [Limit.read(text, LIMITED) for text in limits]
    with quiet(), bar() as progress:
        a = open_model(reference, options)
        b = open_model(model, {**options, "preprocess": preprocess_of_model or options["preprocess"]})
        x = load_pictures(images, a, options)
        divergence = diverge(a, b, x, names=distinct_names((reference, model)), progress=progress)
    if as_json:
        echo_json(divergence.as_json())
    else:
        echo(summary(divergence))
    passed = _passed(divergence, kept)
    for text in passed:
        echo(f"Limit passed: {text}", err=True)
    if passed or (divergence.first and not kept):
        click.get_current_context().exit(FAULT_FOUND)


def _passed(divergence: Divergence, limits: list[Limit]) -> list[str]:
    """The figures that pass their limit, in words."""
    end = divergence.steps[-1]
    own = max(step.own for step in divergence.steps)
    found = {"relative_l2": end.error, "correlation": end.agreement, "own": own}
    return [
        f"{limit.figure} is {found[limit.figure]:.3g}; the limit is {limit}"
        for limit in limits
        if not limit.allows(found[limit.figure])
    ]


def summary(divergence: Divergence) -> str:
    """Every step with its error, its own share and what rounding explains; then the finding."""
    header = [*divergence.models, "error", "own", "noise", ""]
    return "\n\n".join([table(header, _rows(divergence)), f"Noise: {divergence.noise}.", divergence.text])


def _rows(divergence: Divergence) -> Iterator[tuple[str, ...]]:
    for step in divergence.steps:
        mark = "<- parts here" if step is divergence.first else "<- too" if step.leaves_noise else ""
        yield step.a, step.b, f"{step.error:.1e}", f"{step.own:.1e}", f"{step.noise:.1e}", mark


command = click.Command(
    "diverge",
    callback=_diverge,
    params=[*_MODELS, IMAGES, *FITTING, _PREPROCESS, _LIMITS, *MODEL_OPTIONS, JSON],
    help=_diverge.__doc__,
)
