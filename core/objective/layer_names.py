"""Objectives that were made with the framework's own layers, `channel(net.conv3, 5)`, by the layers' names."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from ..model.base import Model
from .algebra import Objective
from .renamed_layers import RenamedLayers

__all__ = ["with_layer_names"]


def with_layer_names(objective: Objective, model: Model) -> Objective:
    """The same objective, reading layers by name; itself, where it names them already.

    Raises:
        LayerError: a layer is no part of the model's network, or runs several times there.
    """
    objects = [layer for layer in objective.layers if not isinstance(layer, str)]
    if not objects:
        return objective
    names = {id(layer): model.layer_name(layer) for layer in objects}
    if is_dataclass(objective) and not isinstance(objective, type):
        changed = {f.name: _named(getattr(objective, f.name), names) for f in fields(objective) if f.init}
        objective = replace(objective, **changed)
    left = {layer: model.layer_name(layer) for layer in objective.layers if not isinstance(layer, str)}
    return RenamedLayers(objective, left) if left else objective


def _named(value: Any, names: dict[int, str]) -> Any:
    """A field of an objective, the layers in it by name; objectives within objectives too."""
    if id(value) in names:
        return names[id(value)]
    if isinstance(value, tuple) and type(value) is tuple:
        return tuple(_named(each, names) for each in value)
    if isinstance(value, Objective) and is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _named(getattr(value, f.name), names) for f in fields(value) if f.init})
    return value
