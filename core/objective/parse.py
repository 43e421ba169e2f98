"""Targets as text: how each objective is spelled, and what a class may be called."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .. import objective as objectives
from ..errors import LayerError, TargetError, did_you_mean
from ..model.base import Model
from ..model.layer import OUTPUT
from . import Objective
from .grammar import parse_expression

__all__ = ["class_index", "parse_target"]

FORMS = {
    "logit": "CLASS",
    "probability": "CLASS",
    "output": "CLASS",
    "channel": "LAYER:INDEX",
    "neuron": "LAYER:CHANNEL:Y:X",
    "region": "LAYER:CHANNEL:FILE.png",
    "mask": "FILE.png:CLASS",
    "box": "X0:Y0:X1:Y1:CLASS",
    "layer": "LAYER",
    "strongest": "LAYER",
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
_POSITIONS = {2: "LAYER:UNIT", 3: "LAYER:UNIT:POSITION", 4: "LAYER:CHANNEL:Y:X", 5: "LAYER:CHANNEL:Z:Y:X"}
"""How a neuron is spelled, by the number of axes of its layer."""
_OF_CLASSES = {"logit", "probability", "output"}


def parse_target(text: str, model: Model, unit: str) -> Objective:
    """The objective that a text means; a class alone is in this unit: "logit" or "output".

    Raises:
        TargetError, LayerError: what is wrong with it.
    """

    def term(written: str) -> Objective:
        return _term(written.strip(), model, unit)

    kind, _, rest = text.strip().partition(":")
    names = {name.casefold() for name in model.output.names(model.labels)}
    if {text.strip().casefold(), rest.casefold() if kind in _OF_CLASSES else ""} & (names - {""}):
        return term(text)  # labels may hold operators and parentheses
    return parse_expression(text, term)


def _term(text: str, model: Model, unit: str) -> Objective:
    of_class = {"logit": objectives.logit, "probability": objectives.probability, "output": objectives.output}
    if _is_whole(text):
        return of_class[unit](int(text))
    kind, _, rest = text.partition(":")
    if kind in FORMS and text == f"{kind}:":
        raise _misspelled(kind, text)
    if kind not in FORMS or not rest:
        return of_class[unit](class_index(text, model))
    if kind in of_class:
        return of_class[kind](_class(rest, model))
    reader = {"neuron": _neuron, "norm": _of_image, "total_variation": _of_image}
    reader |= dict.fromkeys(("region", "mask", "box"), _region)
    return reader.get(kind, _of_layer)(kind, rest, text, model)


def _of_image(kind: str, rest: str, text: str, model: Model) -> Objective:
    (number,) = _numbers(kind, [rest], text)
    return objectives.norm(number, centre=0.5) if kind == "norm" else objectives.total_variation(number)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _class(text: str, model: Model) -> int:
    return int(text) if _is_whole(text) else class_index(text, model)


def _of_layer(kind: str, rest: str, text: str, model: Model) -> Objective:
    """Layer names may hold colons themselves, so the numbers are read from the right."""
    layer, *written = _split(kind, rest, text)
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


def _split(kind: str, rest: str, text: str) -> list[str]:
    count = FORMS[kind].count(":")
    parts = rest.rsplit(":", count) if count else [rest]
    if len(parts) != count + 1 or "" in parts:
        raise _misspelled(kind, text)
    return parts


def _neuron(kind: str, rest: str, text: str, model: Model) -> Objective:
    """One unit at one position, with as many numbers as the layer has axes beside the batch."""
    for axes in sorted(_POSITIONS):
        layer, *numbers = rest.rsplit(":", axes - 1)
        if len(numbers) == axes - 1 and all(map(str.isdecimal, numbers)):
            with suppress(LayerError):
                if len(_layer_shape(layer, model)) == axes:
                    return objectives.neuron(layer, *map(int, numbers))
    layer = rest
    while layer.rpartition(":")[2].isdecimal():
        layer = layer.rpartition(":")[0]
    shape = _layer_shape(layer, model)
    form = _POSITIONS.get(len(shape), _POSITIONS[4])
    raise TargetError(f"target {text!r} is not of the form neuron:{form}; layer {layer!r} gives {shape}")


def _layer_shape(name: str, model: Model) -> tuple[int | None, ...]:
    return model.layers[OUTPUT].shape if name == OUTPUT else model.layer(name).shape


def _region(kind: str, rest: str, text: str, model: Model) -> Objective:
    """A painted region or a box; that of a class is read where the network's maps of logits are."""
    from .mask_file import read_mask

    parts = _split(kind, rest, text)
    if kind == "region":
        (channel,) = _numbers(kind, parts[1:2], text)
        if channel != int(channel):
            raise _misspelled(kind, text)
        return objectives.region(parts[0], int(channel), read_mask(parts[2], model))
    spec = model.output
    if spec.kind != "maps":
        raise TargetError(
            f"target {text!r} needs a network that gives maps of classes (N, K, H, W); this one gives "
            f"{model.layers[OUTPUT].shape}. For a layer with maps write region:{FORMS['region']}"
        )
    layer, index = spec.before or OUTPUT, _class(parts[-1], model)
    binary = spec.activation == "sigmoid" and spec.shape[0] == 1
    if not 0 <= index < (count := 2 if binary else int(spec.shape[0] or 0)):
        raise TargetError(f"class {index} is out of range; the maps have {count} classes, 0 to {count - 1}")
    channel = 0 if binary else index
    if kind == "mask":
        found = objectives.region(layer, channel, read_mask(parts[0], model))
    else:
        found = objectives.box(layer, channel, *_numbers(kind, parts[:4], text))
    return -found if binary and index == 0 else found


def _vector(path: str) -> np.ndarray[Any, Any]:
    """A vector as `numpy.save` wrote it."""
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise TargetError(f"no direction can be read from '{path}': {error}; numpy.save writes one") from error


def _numbers(kind: str, written: Sequence[str], text: str) -> list[float]:
    try:
        found = [float(number) for number in written]
    except ValueError as error:
        raise _misspelled(kind, text) from error
    if not np.isfinite(found).all():
        raise _misspelled(kind, text)
    return found


def _misspelled(kind: str, text: str) -> TargetError:
    return TargetError(f"target {text!r} is not of the form {kind}:{FORMS[kind]}")


def class_index(name: str, model: Model) -> int:
    """The class that a label means.

    Raises:
        TargetError: none, or several; the message names the nearest.
    """
    labels = model.output.names(model.labels)
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
    hint = did_you_mean(kind, FORMS)
    return f" Objectives are written {', '.join(f'{k}:{form}' for k, form in FORMS.items())}.{hint}" * (":" in name)


def _unit(name: str, model: Model) -> str:
    """A sentence for who meant LAYER:INDEX, or an empty string."""
    with suppress(LayerError):
        layer = model.layer(name.rpartition(":")[0])
        return f" For a unit of {layer.kind} {layer.name!r} write 'channel:{name}'."
    return ""
