"""`crosslens layers`: what there is to look at in a network."""

from typing import Any

import click

from ..model import Layer
from ._models import MODEL, MODEL_OPTIONS, opened, quiet
from ._tables import JSON, echo_json, table

__all__ = ["command"]


def _layers(model: str, as_json: bool, **options: Any) -> None:
    """List a network's layers in execution order: name, kind, shape and other names.

    Shapes are channels-first; the batch axis is left out.
    """
    with quiet():
        layers = list(opened(model, options).layers.values())
    if as_json:
        echo_json([{**vars(layer), "has_maps": layer.has_maps} for layer in layers])
    else:
        rows = [(layer.name, layer.kind, _shape(layer), ", ".join(layer.aliases)) for layer in layers]
        click.echo(table(["name", "kind", "shape", "aliases"], rows))


def _shape(layer: Layer) -> str:
    return " x ".join("any" if n is None else str(n) for n in layer.shape[1:])


command = click.Command("layers", callback=_layers, params=[MODEL, *MODEL_OPTIONS, JSON], help=_layers.__doc__)
