"""What a user may give as a target, and the objective it means."""

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from . import objective as objectives
from .errors import LayerError, TargetError, did_you_mean
from .model import Model
from .objective import Objective

__all__ = ["resolve_target"]

_FORMS = {
    "logit": "CLASS",
    "probability": "CLASS",
    "channel": "LAYER:INDEX",
    "neuron": "LAYER:CHANNEL:Y:X",
    "layer": "LAYER",
    "negative": "LAYER:INDEX",
    "interpolate": "LAYER:A:B:T",
    "random_direction": "LAYER:SEED",
    "cosine": "LAYER:SEED:POWER",
    "direction": "LAYER:FILE.npy:POWER",
    "diversity": "LAYER",
    "norm": "ALPHA",
    "total_variation": "BETA",
}
"""How each objective is spelled after its name and a colon."""
_TERM = re.compile(r"\s([+-])\s(?:([0-9.]+(?:e-?[0-9]+)?)\s\*\s)?")


def resolve_target(target: Any, model: Model, count: int | None) -> Objective:
    """The objective that a target means for this model and a batch of `count` images.

    Args:
        target: None (each image's predicted class), a class number or one per image, a label, an `Objective`, or one
            spelled as text: "logit:281", "probability:tabby", "channel:LAYER:11", "neuron:LAYER:11:3:4", "layer:LAYER",
            "negative:LAYER:11", "interpolate:LAYER:3:11:0.5", "random_direction:LAYER:0", the same times its
            cosine to a power "cosine:LAYER:0:2", a saved one "direction:LAYER:smile.npy:0", "diversity:LAYER", and of
            the image itself "norm:6", "total_variation:2". Texts add up with factors, spaces around the signs
            ("channel:LAYER:11 - 0.01 * total_variation:2"); with " | " between them there is one for each image.
        model: where classes, labels and layers are looked up.
        count: the number of images; None where a method makes as many as the target is for.

    Raises:
        TargetError, LayerError, ModelError: this model has no such class, label or layer.
    """
    objective = _objective(target, model)
    objective.check(model)
    if None not in {count, objective.count} and objective.count != count:
        raise TargetError(f"{objective.count} targets for {count} images; give one, or one per image")
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
    if isinstance(target, str):
        return _label(target, model)
    if np.ndim(target) or isinstance(target, bool) or not float(target).is_integer():
        raise TargetError(f"target {target!r} is no class; give a class number or a label for each image")
    return int(target)


def _from_text(text: str, model: Model) -> Objective:
    """One objective for each part between bars, each a sum of terms with factors."""
    parts = [_sum(part, model) for part in text.split(" | ")]
    return parts[0] if len(parts) == 1 else objectives.each(parts)


def _sum(text: str, model: Model) -> Objective:
    _, *pieces = _TERM.split(f" + {text.strip()}")
    terms = []
    for sign, factor, term in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=True):
        weight = float(factor or 1) * (-1 if sign == "-" else 1)
        one = _term(term.strip(), model)
        terms.append(one if weight == 1 else weight * one)
    return sum(terms[1:], terms[0])


def _term(text: str, model: Model) -> Objective:
    if text.isdecimal() or (text.startswith("-") and text[1:].isdecimal()):
        return objectives.logit(int(text))
    kind, _, rest = text.partition(":")
    if kind not in _FORMS or not rest:
        return objectives.logit(_label(text, model))
    if kind in {"logit", "probability"}:
        index = int(rest) if rest.isdecimal() else _label(rest, model)
        return objectives.logit(index) if kind == "logit" else objectives.probability(index)
    if kind in {"norm", "total_variation"}:
        (number,) = _numbers(kind, [rest], text)
        return objectives.norm(number, centre=0.5) if kind == "norm" else objectives.total_variation(number)
    return _of_layer(kind, rest, text, model)


def _of_layer(kind: str, rest: str, text: str, model: Model) -> Objective:
    """Layer names may hold colons themselves, so the numbers are read from the right."""
    count = _FORMS[kind].count(":")
    layer, *written = rest.rsplit(":", count) if count else (rest,)
    if len(written) != count:
        raise _misspelled(kind, text)
    if kind == "direction":
        return objectives.direction(layer, _vector(written[0]), *_numbers(kind, written[1:], text))
    numbers = _numbers(kind, written, text)
    whole = numbers[: {"interpolate": 2, "cosine": 1}.get(kind, len(numbers))]
    if any(n != int(n) or n < 0 for n in whole):
        raise _misspelled(kind, text)
    indices = [*map(int, whole), *numbers[len(whole) :]]
    if kind == "negative":
        return objectives.negative(model, layer, *indices)  # type: ignore[arg-type]
    kind = "random_direction" if kind == "cosine" else kind
    return getattr(objectives, kind)(layer, *indices)  # type: ignore[no-any-return]


def _vector(path: str) -> np.ndarray[Any, Any]:
    """A vector as `numpy.save` wrote it."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise TargetError(f"no direction can be read from '{path}': {error}; numpy.save writes one") from error


def _numbers(kind: str, written: Sequence[str], text: str) -> list[float]:
    try:
        return [float(number) for number in written]
    except ValueError as error:
        raise _misspelled(kind, text) from error


def _misspelled(kind: str, text: str) -> TargetError:
    return TargetError(f"target {text!r} is not of the form {kind}:{_FORMS[kind]}")


def _label(name: str, model: Model) -> int:
    labels: Sequence[str] = model.labels or ()
    if not labels:
        if spelled := _spelled(name):
            raise TargetError(f"target {name!r} is no objective, and this model has no labels.{spelled}")
        raise TargetError(f"target {name!r} is a label, but this model has no labels; give a class number, or labels=")
    folded = [label.casefold() for label in labels]
    exact = [i for i, label in enumerate(folded) if name.casefold() in [label, *label.split(", ")]]
    if len(exact) == 1:
        return exact[0]
    if exact:
        places = ", ".join(map(str, exact))
        raise TargetError(f"label {name!r} belongs to the classes {places}; give one of these numbers")
    hint = _unit(name, model) or did_you_mean(name, labels) or _spelled(name)
    raise TargetError(f"no label {name!r} among this model's {len(labels)} classes.{hint}")


def _spelled(name: str) -> str:
    """How objectives are written, for who tried to write one."""
    kind = name.partition(":")[0]
    hint = did_you_mean(kind, _FORMS)
    return f" Objectives are written {', '.join(f'{k}:{form}' for k, form in _FORMS.items())}.{hint}" * (":" in name)


def _unit(name: str, model: Model) -> str:
    """A sentence for who meant LAYER:INDEX, or an empty string."""
    with suppress(LayerError):
        layer = model.layer(name.rpartition(":")[0])
        return f" For a unit of {layer.kind} {layer.name!r} write 'channel:{name}'."
    return ""
