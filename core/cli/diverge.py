"""`crosslens diverge`: the first layer where two versions of a network differ, and why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..alignment.divergence import Divergence, diverge
from ..image.io import load_image
from ._models import MODEL_OPTIONS, open_model, quiet
from ._progress import bar
from ._tables import JSON, echo_json, table
from .align import IMAGES, distinct_names

__all__ = ["command", "summary"]

_MODELS = [click.Argument(["reference"]), click.Argument(["model"])]
_PREPROCESS = click.Option(
    ["--preprocess-of-model"],
    metavar="PREPROCESS",
    help="Preprocessing of MODEL, where it is not that of --preprocess; in the same forms.",
)


def _diverge(
    reference: str,
    model: str,
    images: tuple[Path, ...],
    as_json: bool,
    preprocess_of_model: str | None,
    **options: Any,
) -> None:
    """Find the first layer where two versions of a network differ.

    The versions are compared layer by layer; the cause is named, if it is one of those that crosslens knows.

    REFERENCE is right by definition: crosslens diverge net.pt2 net.onnx --image cat.jpg
    """
    with quiet(), bar() as progress:
        a = open_model(reference, options)
        b = open_model(model, {**options, "preprocess": preprocess_of_model or options["preprocess"]})
        x = np.concatenate([load_image(path, like=a) for path in images]) if images else None
        divergence = diverge(a, b, x, names=distinct_names((reference, model)), progress=progress)
    if as_json:
        echo_json(divergence.as_json())
    else:
        click.echo(summary(divergence))


def summary(divergence: Divergence) -> str:
    """Every step with its error, its own share and what rounding explains; then the finding."""
    header = [*divergence.models, "error", "own", "noise", ""]
    return "\n\n".join([table(header, _rows(divergence)), f"Noise: {divergence.noise}.", divergence.text])


def _rows(divergence: Divergence) -> Iterator[tuple[str, ...]]:
    for step in divergence.steps:
        mark = "<- parts here" if step is divergence.first else "<- too" if step.leaves_noise else ""
        yield step.a, step.b, f"{step.error:.1e}", f"{step.own:.1e}", f"{step.noise:.1e}", mark


command = click.Command(
    "diverge", callback=_diverge, params=[*_MODELS, IMAGES, _PREPROCESS, *MODEL_OPTIONS, JSON], help=_diverge.__doc__
)
