"""What a user may give as a target, and the objective it means."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import objective as objectives
from .errors import TargetError, did_you_mean
from .model import Model
from .objective import Objective

__all__ = ["resolve_target"]

_SPELLED = {
    "logit": ("class",),
    "probability": ("class",),
    "channel": ("layer", "index"),
    "neuron": ("layer", "channel", "y", "x"),
    "layer": ("layer",),
}


def resolve_target(target: Any, model: Model, count: int) -> Objective:
    """The objective that a target means for this model and a batch of `count` images.

    Args:
        target: None (each image's predicted class), a class number or one per image, a label, an `Objective`, or one
            spelled as text: "logit:281", "probability:tabby", "channel:LAYER:11", "neuron:LAYER:11:3:4", "layer:LAYER".
        model: where classes, labels and layers are looked up.
        count: the number of images.

    Raises:
        TargetError, LayerError, ModelError: this model has no such class, label or layer.
    """
    objective = _objective(target, model)
    objective.check(model)
    per_image = getattr(objective, "target", None)
    if isinstance(per_image, tuple) and len(per_image) != count:
        raise TargetError(f"{len(per_image)} targets for {count} images; give one, or one per image")
    return objective


def _objective(target: Any, model: Model) -> Objective:
    if isinstance(target, Objective):
        return target
    if target is None:
        return objectives.logit()
    if isinstance(target, str):
        return _from_text(target, model)
    if isinstance(target, bool) or (np.ndim(target) == 0 and not isinstance(target, int | np.integer)):
        raise TargetError(f"target {target!r} is no class; give a class number, a label, an Objective, or None")
    if np.ndim(target) == 0:
        return objectives.logit(int(target))
    return objectives.logit([_class(t, model) for t in target])


def _class(target: Any, model: Model) -> int:
    return _label(target, model) if isinstance(target, str) else int(target)


def _from_text(text: str, model: Model) -> Objective:
    if text.isdecimal() or (text.startswith("-") and text[1:].isdecimal()):
        return objectives.logit(int(text))
    kind, _, rest = text.partition(":")
    if kind not in _SPELLED or not rest:
        return objectives.logit(_label(text, model))
    if kind in {"logit", "probability"}:
        index = int(rest) if rest.isdecimal() else _label(rest, model)
        return objectives.logit(index) if kind == "logit" else objectives.probability(index)
    if kind == "layer":
        return objectives.layer(rest)
    return _unit(kind, rest, text)


def _unit(kind: str, rest: str, text: str) -> Objective:
    """Layer names may hold colons themselves, so the numbers are read from the right."""
    numbers = len(_SPELLED[kind]) - 1
    layer, *indices = rest.rsplit(":", numbers)
    if len(indices) != numbers or not all(i.isdecimal() for i in indices):
        raise TargetError(f"target {text!r} is not of the form {kind}:{':'.join(_SPELLED[kind]).upper()}")
    return getattr(objectives, kind)(layer, *map(int, indices))  # type: ignore[no-any-return]


def _label(name: str, model: Model) -> int:
    labels: Sequence[str] = model.labels or ()
    if not labels:
        raise TargetError(f"target {name!r} is a label, but this model has no labels; give a class number, or labels=")
    folded = [label.casefold() for label in labels]
    exact = [i for i, label in enumerate(folded) if name.casefold() in [label, *label.split(", ")]]
    if len(exact) == 1:
        return exact[0]
    if exact:
        places = ", ".join(map(str, exact))
        raise TargetError(f"label {name!r} belongs to the classes {places}; give one of these numbers")
    raise TargetError(f"no label {name!r} among this model's {len(labels)} classes.{did_you_mean(name, labels)}")
