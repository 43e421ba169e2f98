"""Where a result came from: enough to repeat it, and to see why two differ."""

from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from functools import cache
from types import NoneType
from typing import Any, TypeVar

import numpy as np

from ..arrays import array_digest
from ..errors import TargetError
from ..model.base import Model
from ..model.repeatability import repeatability
from ..objective import Objective

__all__ = [
    "json_value", "layer_parameters", "named_layers", "names_layers", "objectives_of_images", "preprocess_record",
    "provenance", "used_layers", "with_layer_names",
]  # fmt: skip

M = TypeVar("M", bound=Any)


def provenance(model: Model, objective: Objective | None, seconds: float) -> Mapping[str, Any]:
    """Versions, the model's digest, the preprocessing, the objective, whether two runs agree, and the time it took."""
    return {
        "crosslens": _crosslens_version(),
        "backend": model.backend,
        "versions": dict(model.versions),
        "model": model.last_digest,
        "preprocess": preprocess_record(model),
        "preprocess_from": model.origin.preprocess,
        "inputs": json_value(dict(model.fixed_inputs)),
        "bounds": model.input.bounds and list(model.input.bounds),
        **({} if objective is None else {"objective": str(objective)}),
        "repeatable": repeatability(model).repeatable,
        "seconds": round(seconds, 4),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def preprocess_record(model: Model) -> Mapping[str, Any]:
    """The preprocessing in numbers."""
    return {name: value for name, value in vars(model.preprocess).items() if name != "preset"}


def objectives_of_images(objective: Objective, count: int | None) -> Mapping[str, Any]:
    """{"objectives": the objective of each of `count` images, in words}, where they differ; else nothing."""
    if count is None or count < 2:
        return {}
    try:
        texts = [str(objective.select(n, n + 1)) for n in range(count)]
    except TargetError:  # one that compares the images of a batch with each other
        return {}
    return {"objectives": texts} if len(set(texts)) > 1 else {}


def names_layers(parameter: str) -> bool:
    """Whether a parameter of this name holds names of layers: `layer`, and what ends in `_layer` or `_layers`.

    `code_layer` is a layer of an encoder, not of the network that is explained.
    """
    return parameter != "code_layer" and f"_{parameter}".endswith(("_layer", "_layers"))


def layer_parameters(method: Any) -> tuple[str, ...]:
    """The parameters of a method that name layers."""
    return tuple(f.name for f in fields(method) if names_layers(f.name))


def named_layers(method: Any) -> tuple[str, ...]:
    """The layers that a method's parameters name, each once; those of a method that it judges as well."""
    names: list[str] = []
    for each in fields(method):
        value = getattr(method, each.name)
        if each.name in layer_parameters(method):
            names += [value] if isinstance(value, str) else value or ()
        elif hasattr(value, "network_defaults"):
            names += named_layers(value)
    return tuple(dict.fromkeys(names))


def with_layer_names(method: M, model: Model) -> M:
    """The same method, its layers by name where they were given as the framework's own objects, `layer=net.conv3`.

    Raises:
        LayerError: a layer is no part of the model's network, or runs several times there.
    """
    changed: dict[str, Any] = {}
    for each in fields(method):
        value = getattr(method, each.name)
        if hasattr(value, "network_defaults"):
            changed[each.name] = with_layer_names(value, model)
        elif names_layers(each.name) and isinstance(value, list | tuple):
            names = tuple(model.layer_name(name) if _is_object(name) else name for name in value)
            changed[each.name] = names if any(map(_is_object, value)) else value
        elif names_layers(each.name) and _is_object(value):
            changed[each.name] = model.layer_name(value)
    same = all(getattr(method, name) is value for name, value in changed.items())
    return method if same else replace(method, **changed)


def _is_object(value: Any) -> bool:
    """Whether a value may be a framework's own layer, and is no wrong value of a parameter."""
    return not isinstance(value, str | int | float | bytes | Mapping | NoneType)


def used_layers(model: Model, asked: Any, used: Any) -> Mapping[str, Any]:
    """What results record: the names of the layers that a method used, and whether crosslens chose any of them.

    Args:
        model: which knows each layer's own name.
        asked: the method as it was configured.
        used: the same with the defaults of this network filled in.
    """
    return {"layers": [model.layer(name).name for name in named_layers(used)], "default_layer": _chosen(asked, used)}


def _chosen(asked: Any, used: Any) -> bool:
    """Whether a parameter of layers, of the method or of one that it judges, was left empty and filled in."""
    if asked is used:
        return False
    for name in (each.name for each in fields(used)):
        before, after = getattr(asked, name), getattr(used, name)
        if names_layers(name) and after and not before:
            return True
        if hasattr(after, "network_defaults") and _judged_by_default(before, after):
            return True
    return False


def _judged_by_default(before: Any, after: Any) -> bool:
    """The same of a judged method; one that was asked for by its name alone named no layer."""
    return bool(named_layers(after)) if isinstance(before, str) else _chosen(before, after)


@cache
def _crosslens_version() -> str:
    """Read once: metadata takes a millisecond, as long as a small network."""
    from importlib.metadata import version

    return version("crosslens")


def json_value(value: Any) -> Any:
    """A parameter as JSON can hold it: arrays by shape and digest, models by digest, others as text."""
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__array_namespace__") or isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "digest": array_digest(value)}
    if isinstance(value, Model):
        return {"model": value.digest}
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(item) for item in value]
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)
