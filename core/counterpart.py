"""A method's `layer=` named in any of several models, translated to the others."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .arrays import Array
from .errors import LayerError
from .method import Method, parameters
from .model import Model

__all__ = ["for_each_model"]

_PROBES = 4
"""So many of the images are what layers are matched on."""


def for_each_model(method: Method, models: Mapping[str, Model], images: Array) -> dict[str, Method]:
    """The method for each model, by its name: with the layer that is the counterpart of the one that was named.

    Raises:
        LayerError: no model has a layer of that name, or one has no counterpart of it.
    """
    layer: Any = getattr(method, "layer", None) if any(p.name == "layer" for p in parameters(method)) else None
    asked = (layer,) if isinstance(layer, str) else tuple(layer or ())
    knowing = [name for name, model in models.items() if all(_has(model, each) for each in asked)]
    if len(knowing) == len(models):
        return dict.fromkeys(models, method)
    if not knowing:
        for each in asked:
            next(iter(models.values())).layer(each)  # raises, and names the nearest
    return {
        name: method if name in knowing else _translated(method, layer, name, knowing[0], models, images)
        for name in models
    }


def _translated(
    method: Method, layer: str | tuple[str, ...], name: str, source: str, models: Mapping[str, Model], images: Array
) -> Method:
    """The method with the counterparts in model `name` of its layers, which stand as in model `source`."""
    from .align import align

    probes = None if images is None else images[:_PROBES, ...]
    found = align(models[source], models[name], images=probes, names=(source, name))
    if isinstance(layer, str):
        return replace(method, layer=found.translate(layer, source, name))  # type: ignore[call-arg]
    return replace(method, layer=tuple(found.translate(each, source, name) for each in layer))  # type: ignore[call-arg]


def _has(model: Model, layer: str) -> bool:
    try:
        model.layer(layer)
    except LayerError:
        return False
    return True
