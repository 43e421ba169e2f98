"""Targets as text: how each objective is written, and which class a label names."""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from .. import objective as objectives
from ..errors import LayerError, ParameterError, TargetError, did_you_mean
from ..limits.regular_file import check_regular_file
from ..limits.whole_numbers import is_whole_number
from ..model.base import Model
from ..model.layer import OUTPUT
from ..reading.array_file import NUMBERS, read_npy
from . import Objective
from .grammar import parse_expression

__all__ = ["class_index", "parse_target"]

SYNTAX = {
    "logit": "CLASS",
    "probability": "CLASS",
    "log_probability": "CLASS",
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
    "facet": "FILE.npz#UNIT/FACET",
    "diversity": "LAYER",
    "norm": "ALPHA",
    "total_variation": "BETA",
    "patch_mixture": "FILE.npz:STRIDE",
}
"""How each objective is written, after its name and a colon."""
_NEURON_SYNTAX = {2: "LAYER:UNIT", 3: "LAYER:UNIT:POSITION", 4: "LAYER:CHANNEL:Y:X", 5: "LAYER:CHANNEL:Z:Y:X"}
"""How a neuron is written, by the number of axes of its layer."""
_CALL = re.compile(rf"({'|'.join(SYNTAX)})\((.*)\)")
"""An objective as it is written in Python."""
_OF_CLASSES = ("logit", "probability", "log_probability", "output")


def parse_target(text: str, model: Model, unit: str) -> Objective:
    """The objective of a text.

    Args:
        text: what a user typed: see `crosslens.objective.target.resolve_target`.
        model: where classes, labels and layers are looked up.
        unit: what a class alone means: its "logit", or its "output".

    Raises:
        TargetError, LayerError: the text cannot be read, or this model has no such class, label, layer or channel.
    """

    def term(word: str) -> Objective:
        return _term(word.strip(), model, unit)

    kind, _, rest = text.strip().partition(":")
    names = {name.casefold() for name in model.output.names(model.labels)}
    if {text.strip().casefold(), rest.casefold() if kind in _OF_CLASSES else ""} & (names - {""}):
        return term(text)  # labels may contain operators and parentheses
    return parse_expression(text, term)


def _term(text: str, model: Model, unit: str) -> Objective:
    of_class: dict[str, Callable[[int], Objective]] = {kind: getattr(objectives, kind) for kind in _OF_CLASSES}
    if _is_whole(text):
        return of_class[unit](int(text))
    kind, _, rest = text.partition(":")
    if kind in SYNTAX and text == f"{kind}:":
        raise _syntax_error(kind, text)
    if kind not in SYNTAX or not rest:
        return of_class[unit](class_index(text, model))
    if kind in of_class:
        return of_class[kind](_class(rest, model))
    reader = {"neuron": _neuron, "norm": _of_image, "total_variation": _of_image}
    reader |= {"facet": _facet, "patch_mixture": _patch_mixture}
    reader |= dict.fromkeys(("region", "mask", "box"), _region)
    return reader.get(kind, _of_layer)(kind, rest, text, model)


def _of_image(kind: str, rest: str, text: str, model: Model) -> Objective:
    (number,) = _numbers(kind, [rest], text)
    return objectives.norm(number, centre=0.5) if kind == "norm" else objectives.total_variation(number)


def _facet(kind: str, rest: str, text: str, model: Model) -> Objective:
    """How near the picture comes to a facet's centroid, at the layer where the facets were found."""
    from .facet_file import read_facets

    try:
        found = read_facets(rest, model)
    except ParameterError as error:
        raise TargetError(f"target {text!r}: {error}") from error
    if len(found.numbers) > 1:
        raise TargetError(
            f"target {text!r} means {len(found.numbers)} facets; name one: {text.partition('#')[0]}#{found.unit}/0"
        )
    return objectives.near(found.space, found.centroids[0], f"facet {found.unit}/{found.numbers[0]}")


def _patch_mixture(kind: str, rest: str, text: str, model: Model) -> Objective:
    """How natural the patches of the picture are; the stride may be left out."""
    before, _, last = rest.rpartition(":")
    path, stride = (before, int(last)) if before and is_whole_number(last) else (rest, None)
    try:
        return objectives.patch_mixture(path, stride)
    except ParameterError as error:
        raise TargetError(f"target {text!r}: {error}") from error


def _is_whole(text: str) -> bool:
    return is_whole_number(text.removeprefix("-"))


def _class(text: str, model: Model) -> int:
    return int(text) if _is_whole(text) else class_index(text, model)


def _of_layer(kind: str, rest: str, text: str, model: Model) -> Objective:
    """An objective on a layer. Names of layers may contain colons, so the numbers are read from the right."""
    layer, *words = _split(kind, rest, text)
    if kind == "direction":
        return objectives.direction(layer, _vector(words[0]), *_numbers(kind, words[1:], text))
    numbers = _numbers(kind, words, text)
    whole = numbers[: {"interpolate": 2, "cosine": 1}.get(kind, len(numbers))]
    if any(n != int(n) or n < 0 for n in whole):
        raise _syntax_error(kind, text)
    indices = [*map(int, whole), *numbers[len(whole) :]]
    if kind == "negative":
        return objectives.negative(model, layer, *indices)  # type: ignore[arg-type]
    kind = "random_direction" if kind == "cosine" else kind
    return getattr(objectives, kind)(layer, *indices)  # type: ignore[no-any-return]


def _split(kind: str, rest: str, text: str) -> list[str]:
    count = SYNTAX[kind].count(":")
    parts = rest.rsplit(":", count) if count else [rest]
    if len(parts) != count + 1 or "" in parts:
        raise _syntax_error(kind, text)
    return parts


def _neuron(kind: str, rest: str, text: str, model: Model) -> Objective:
    """One unit at one position: as many numbers as the layer has axes, the batch not counted."""
    for axes in sorted(_NEURON_SYNTAX):
        layer, *numbers = rest.rsplit(":", axes - 1)
        if len(numbers) == axes - 1 and all(map(is_whole_number, numbers)):
            with suppress(LayerError):
                if len(_layer_shape(layer, model)) == axes:
                    return objectives.neuron(layer, *map(int, numbers))
    layer = rest
    while layer.rpartition(":")[2].isdecimal():
        layer = layer.rpartition(":")[0]
    shape = _layer_shape(layer, model)
    syntax = _NEURON_SYNTAX.get(len(shape), _NEURON_SYNTAX[4])
    raise TargetError(f"target {text!r} is not of the form neuron:{syntax}; layer {layer!r} gives {shape}")


def _layer_shape(name: str, model: Model) -> tuple[int | None, ...]:
    return model.layers[OUTPUT].shape if name == OUTPUT else model.layer(name).shape


def _region(kind: str, rest: str, text: str, model: Model) -> Objective:
    """A painted region, or a box; one of a class is read at the layer with the network's maps of logits."""
    from .mask_file import read_mask

    parts = _split(kind, rest, text)
    if kind == "region":
        (channel,) = _numbers(kind, parts[1:2], text)
        if channel != int(channel):
            raise _syntax_error(kind, text)
        return objectives.region(parts[0], int(channel), read_mask(parts[2], model))
    spec = model.output
    if spec.kind != "maps":
        raise TargetError(
            f"target {text!r} needs a network whose output is maps of classes (N, K, H, W); this one's is "
            f"{model.layers[OUTPUT].shape}. For any layer with maps write region:{SYNTAX['region']}"
        )
    layer, index = spec.before or OUTPUT, _class(parts[-1], model)
    binary = spec.activation == "sigmoid" and spec.shape[0] == 1
    if not 0 <= index < (count := 2 if binary else int(spec.shape[0] or 0)):
        raise TargetError(f"class {index} is out of range; this model's maps have {count} classes, 0 to {count - 1}")
    channel = 0 if binary else index
    if kind == "mask":
        objective = objectives.region(layer, channel, read_mask(parts[0], model))
    else:
        objective = objectives.box(layer, channel, *_numbers(kind, parts[:4], text))
    return -objective if binary and index == 0 else objective


def _vector(path: str) -> np.ndarray[Any, Any]:
    """A vector from a .npy file."""
    check_regular_file(path, TargetError, "direction")
    try:
        return np.asarray(read_npy(path, NUMBERS), np.float32)
    except ValueError as error:
        raise TargetError(
            f"cannot read a direction from '{path}': {error}; it must be a .npy file of one number per channel"
        ) from error


def _numbers(kind: str, words: Sequence[str], text: str) -> list[float]:
    try:
        numbers = [float(word) for word in words]
    except ValueError as error:
        raise _syntax_error(kind, text) from error
    if not np.isfinite(numbers).all():
        raise _syntax_error(kind, text)
    return numbers


def _syntax_error(kind: str, text: str) -> TargetError:
    return TargetError(f"target {text!r} is not of the form {kind}:{SYNTAX[kind]}")


def class_index(name: str, model: Model) -> int:
    """The number of the class that a label names.

    Raises:
        TargetError: no class has the label, or several have; the message names the nearest labels.
    """
    labels = model.output.names(model.labels)
    if not labels:
        _refuse_call(name)
        if syntax := _all_syntax(name):
            raise TargetError(f"target {name!r} is not an objective, and this model has no labels.{syntax}")
        raise TargetError(f"target {name!r} is a label, but this model has no labels; give a class number, or labels=")
    folded = [label.casefold() for label in labels]
    exact = [i for i, label in enumerate(folded) if name.casefold() in [label, *label.split(", ")]]
    if len(exact) == 1:
        return exact[0]
    if exact:
        places = ", ".join(map(str, exact))
        raise TargetError(f"label {name!r} belongs to the classes {places}; give one of these numbers")
    _refuse_call(name)
    hint = _channel_hint(name, model) or did_you_mean(name, labels) or _all_syntax(name)
    hint = hint or f" Give a class number, 0 to {len(labels) - 1}."
    raise TargetError(f"no label {name!r} among this model's {len(labels)} classes.{hint}")


def _refuse_call(name: str) -> None:
    """Refuse an objective as it is written in Python.

    Raises:
        TargetError: with the text that means it.
    """
    if call := _CALL.fullmatch(name):
        colons = ":".join([call[1], *(part.strip(" '\"") for part in call[2].split(",") if part.strip())])
        raise TargetError(f"target {name!r} is written with colons as text: {colons} ({call[1]}:{SYNTAX[call[1]]})")


def _all_syntax(name: str) -> str:
    """A sentence on how objectives are written; empty for a text without a colon, which is not meant as one."""
    kind = name.partition(":")[0]
    hint = did_you_mean(kind, SYNTAX)
    return f" Objectives are written {', '.join(f'{k}:{syntax}' for k, syntax in SYNTAX.items())}.{hint}" * (
        ":" in name
    )


def _channel_hint(name: str, model: Model) -> str:
    """A sentence on how a channel is written, if the text is LAYER:INDEX; else an empty string."""
    with suppress(LayerError):
        layer = model.layer(name.rpartition(":")[0])
        return f" For a unit of {layer.kind} {layer.name!r} write 'channel:{name}'."
    return ""
