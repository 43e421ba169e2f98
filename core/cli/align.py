"""`crosslens align`: match the layers of two or more networks without their names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..alignment.align import Alignment, align
from ._options.models import OPTIONS_OF_MODELS, open_models, quiet
from ._options.pictures import FITTING, load_pictures
from ._text.echo import echo
from ._text.progress import bar
from ._text.tables import JSON, echo_json, table

__all__ = ["IMAGES", "command", "distinct_names", "summary"]

IMAGES = click.Option(
    ["--image", "images"],
    type=click.Path(path_type=Path),
    multiple=True,
    metavar="FILE",
    help="A picture to run the networks on; can be repeated. Photographs of scikit-image if not given.",
)
_MODELS = click.Argument(["specs"], metavar="MODEL MODEL...", nargs=-1, required=True)


def _align(specs: tuple[str, ...], images: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Match the layers of two or more networks without their names.

    By order, shape and activations.

    Networks of one kind in several frameworks, converted, fused or quantised: crosslens align net.pt2 net.onnx
    """
    if len(specs) < 2:
        raise click.UsageError(f"aligning takes two models or more; there is {len(specs)}")
    with quiet(), bar() as progress:
        models = open_models(specs, options)
        x = load_pictures(images, models[0], options)
        alignment = align(*models, images=x, names=distinct_names(specs), progress=progress)
    if as_json:
        echo_json(alignment.as_json())
    else:
        echo(summary(alignment))


def distinct_names(specs: Sequence[str]) -> tuple[str, ...]:
    """File names where they differ, the paths as given where they do not, numbered where those are the same."""
    names = [Path(spec).name for spec in specs]
    names = names if len(set(names)) == len(names) else list(specs)
    return tuple(name if name not in names[:i] else f"{name} #{i + 1}" for i, name in enumerate(names))


def summary(alignment: Alignment) -> str:
    """The rows as a table, then what has no counterpart."""
    rows = [
        (*(layer or "-" for layer in row.layers), f"{row.agreement:.6f}", f"{row.difference:.1e}")
        for row in alignment.rows
    ]
    parts = [table([*alignment.models, "correlation", "relative L2"], rows)]
    for model in alignment.models:
        left = alignment.unmatched(model)
        parts.append(f"{model}: {len(left)} layers without a counterpart{': ' + ', '.join(left) if left else ''}")
    return "\n\n".join([parts[0], "\n".join(parts[1:])])


command = click.Command(
    "align", callback=_align, params=[_MODELS, IMAGES, *FITTING, *OPTIONS_OF_MODELS, JSON], help=_align.__doc__
)
