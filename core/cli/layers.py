"""`crosslens layers`: list a network's layers in execution order."""

from typing import Any

import click

from ..errors import LayerError
from ..introspection.default_layer import default_layer
from ..model.base import Layer, Model
from ._options.models import MODEL, MODEL_OPTIONS, open_model, quiet
from ._text.echo import echo
from ._text.tables import JSON, echo_json, table

__all__ = ["command"]


def _layers(model: str, as_json: bool, **options: Any) -> None:
    """List a network's layers in execution order.

    Each with name, kind, shape and other names.

    Shapes are channels-first; the batch axis is left out. "default" marks the layer that methods explain where none is
    named.
    """
    with quiet():
        network = open_model(model, options)
        layers, default = list(network.layers.values()), _default(network)
    if as_json:
        echo_json([{**vars(each), "has_maps": each.has_maps, "default": each.name == default} for each in layers])
    else:
        rows = [
            (each.name, each.kind, _shape(each), "default" * (each.name == default), ", ".join(each.aliases))
            for each in layers
        ]
        echo(table(["name", "kind", "shape", "", "aliases"], rows))
        if not network.takes_default_preprocessing and network.origin.preprocess != "picture":  # which is said already
            echo(f"preprocessing: {network.preprocess} ({network.origin.in_words})", err=True)


def _default(model: Model) -> str | None:
    try:
        return default_layer(model)
    except LayerError:
        return None


def _shape(layer: Layer) -> str:
    return " x ".join("any" if n is None else str(n) for n in layer.shape[1:])


command = click.Command("layers", callback=_layers, params=[MODEL, *MODEL_OPTIONS, JSON], help=_layers.__doc__)
