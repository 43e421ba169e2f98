"""Finding what a network's output means, from the layers at its end and from what they compute on noise.

The last activation is a function that makes the output of an earlier layer's values: softmax(fc) equals the output.
That needs no operator by name, and it names the layer of the logits. Where no layer holds those, the kind of the last
layer tells, Softmax for example.
"""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ...arrays import as_numpy, softmax
from ...errors import ModelError, unknown_name
from ..backend import BackendModel
from ..layer import INPUT, OUTPUT, Layer
from ..per_image import forward
from .link_functions import sigmoid
from .output_spec import KINDS, OutputSpec, activation_of
from .picture_output import could_be_picture, picture_evidence

__all__ = ["output_spec"]

Values = np.ndarray[Any, Any]

_MOST = 8
"""So many of the last layers of the output's size are looked at; more are parts of a long chain of maps."""
_NAMES = {
    "softmax": "softmax",
    "softmax2d": "softmax",
    "logsoftmax": "log softmax",
    "log_softmax": "log softmax",
    "logsigmoid": "log sigmoid",
    "log_sigmoid": "log sigmoid",
    "sigmoid": "sigmoid",
    "hardsigmoid": "sigmoid",
    "hard_sigmoid": "sigmoid",
}
"""Activations by the kinds of layers, in lower case."""
_KIND_OF = {"softmax": "probabilities", "sigmoid": "independent"}
_KIND_OF |= dict.fromkeys(("log softmax", "log sigmoid"), "log_probabilities")
_PASSED = frozenset(
    {"identity", "cast", "reshape", "flatten", "squeeze", "unsqueeze", "quantizelinear", "dequantizelinear", "view"}
    | {"permute", "transpose", "dropout", "contiguous", "to", "float", "type", "clone", "detach", "quantize"}
)
"""Kinds of layers that change no value, or round it at most."""


def output_spec(model: BackendModel) -> OutputSpec:
    """What the output of a network is; `model.output_kind` overrides it.

    Raises:
        ModelError: that kind contradicts the output's shape, or what the network computes.
    """
    shape = model.layers[OUTPUT].shape[1:]
    plain = OutputSpec("logits", shape)
    if not plain.is_vector and len(shape) != 3:
        return _as_the_user_says(model, OutputSpec("tensor", shape), {})
    values = _last_values(model, shape)
    activation, before, evidence = _activation(model, values)
    if not plain.is_vector:
        spec = _picture(model, OutputSpec("maps", shape, activation, before, evidence), values)
    elif activation:
        spec = OutputSpec(_KIND_OF[activation], shape, activation, before, evidence)
    elif shape[0] == 1:
        two = model.labels is not None and len(model.labels) == 2
        spec = OutputSpec("independent_logits", shape, evidence="two labels for one number") if two else _score(shape)
    else:
        spec = plain
    return _as_the_user_says(model, spec, values)


def _picture(model: BackendModel, maps: OutputSpec, values: Mapping[str, Values]) -> OutputSpec:
    """A picture, where it is one and the user does not say what it is; else the maps of classes as they are."""
    across_classes = maps.activation not in {None, "sigmoid"}
    if model.output_kind or across_classes or not could_be_picture(model.input, maps.shape):
        return maps
    evidence = picture_evidence(model, values)
    return OutputSpec("image", maps.shape, maps.activation, maps.before, evidence) if evidence else maps


def _score(shape: tuple[int | None, ...]) -> OutputSpec:
    return OutputSpec("score", shape, evidence="no sigmoid was found; if it is a logit, say output_kind='logits'")


def _last_values(model: BackendModel, shape: tuple[int | None, ...]) -> Mapping[str, Values]:
    """What the last layers of the output's size, and the output, give for two images of noise, (N, *shape)."""
    size = prod(n or 1 for n in shape)
    same = [
        name for name, layer in model.layers.items() if name not in {INPUT, OUTPUT} and _same_size(layer, shape, size)
    ]
    low, high = model.input.bounds or (-1.0, 1.0)
    noise = np.random.default_rng(0).random((2, *model.input.example_shape), dtype=np.float32)
    activations = forward(model, (low + (high - low) * noise).astype(np.float32), (*same[-_MOST:], OUTPUT), {})
    output = as_numpy(activations[OUTPUT])
    there = {name: as_numpy(values) for name, values in activations.items()}
    return {name: each.reshape(output.shape) for name, each in there.items() if each.size == output.size}


def _same_size(layer: Layer, shape: tuple[int | None, ...], size: int) -> bool:
    """Whether a layer has the output's shape; where that is a vector, as many numbers in any shape."""
    if layer.shape[1:] == shape:
        return True
    vector = set(shape[1:]) <= {1} and None not in layer.shape[1:]
    return vector and layer.shape[0] is None and prod(n or 1 for n in layer.shape[1:]) == size


def _activation(model: BackendModel, values: Mapping[str, Values]) -> tuple[str | None, str | None, str]:
    """The activation at the end, the layer with what enters it, and how that is known; None for what is not found."""
    output = values[OUTPUT]
    if not np.isfinite(output).all():
        return None, None, ""
    equal = [name for name in values if name != OUTPUT and np.array_equal(values[name], output)]
    for name in reversed([name for name in values if name not in {OUTPUT, *equal}]):
        for activation in ("softmax", "log softmax", "sigmoid", "log sigmoid"):
            if _gives(activation, values[name], output):
                return activation, name, f"the {activation} of {name!r}"
    named = [
        (name, _NAMES[kind])
        for name in _layers_with_output(model, equal)
        if (kind := model.layers[name].kind.lower()) in _NAMES
    ]
    for name, activation in reversed(named):
        if _fits(activation, output, 2e-2):
            return activation, _logits_layer(model, name, output), f"layer {name!r}"
    if _fits("softmax", output, 1e-4):
        return "softmax", None, "its numbers are never negative and add up to 1"
    return None, None, ""


def _gives(activation: str, z: Values, output: Values) -> bool:
    """Whether the output is this activation of `z`, to the rounding of float32; for sigmoids also the hard ones."""
    if not np.isfinite(z).all() or not _fits(activation, output, 1e-3):
        return False
    near = 1e-5 if activation.startswith("log") else 1e-30
    return any(np.allclose(made, output, rtol=2e-4, atol=near) for made in _possible_outputs(activation, z))


def _possible_outputs(activation: str, z: Values) -> list[Values]:
    across = np.moveaxis(z, 1, -1).astype(np.float64)
    if activation == "softmax":
        return [np.moveaxis(softmax(across), -1, 1)]
    if activation == "log softmax":
        top = across.max(-1, keepdims=True)
        return [np.moveaxis(across - top - np.log(np.exp(across - top).sum(-1, keepdims=True)), -1, 1)]
    if activation == "log sigmoid":
        return [-np.logaddexp(0, -z.astype(np.float64))]
    inside = bool((np.abs(z) < 2.5).any())  # outside a hard sigmoid is flat, and any values would do
    hard = [np.clip(z * slope + 0.5, 0, 1) for slope in (1 / 6, 0.2)] if inside else []
    return [sigmoid(z.astype(np.float64)), *hard]


def _fits(activation: str, output: Values, rounding: float) -> bool:
    """Whether the numbers can come out of this activation; across the classes, axis 1."""
    if not np.isfinite(output).all():
        return False
    if activation == "sigmoid":
        return bool((output >= 0).all() and (output <= 1).all())
    if activation == "log sigmoid":
        return bool((output <= 0).all())
    shares = output if activation == "softmax" else np.exp(np.minimum(output, 1))
    several = output.shape[1] > 1
    return several and bool((shares >= 0).all() and (np.abs(shares.sum(1) - 1) <= rounding).all())


def _layers_with_output(model: BackendModel, equal: list[str]) -> list[str]:
    """The layers whose values the output has, and those that it is read from by layers that change no value."""
    names = list(equal)
    ahead = list(model.reads(OUTPUT) or ())
    while len(ahead) == 1 and ahead[0] not in {INPUT, OUTPUT}:
        names.insert(0, ahead[0])
        passed = model.layers[ahead[0]].kind.lower() in _PASSED
        ahead = list(model.reads(ahead[0]) or ()) if passed else []
    return list(dict.fromkeys(names))


def _logits_layer(model: BackendModel, name: str, output: Values) -> str | None:
    """The layer that an activation reads, if it holds one number for each of the output's."""
    read = model.reads(name) or ()
    if len(read) != 1 or read[0] == INPUT:
        return None
    size = prod(n or 1 for n in model.layers[read[0]].shape[1:])
    return read[0] if size == output[0].size else None


def _as_the_user_says(model: BackendModel, spec: OutputSpec, values: Mapping[str, Values]) -> OutputSpec:
    """What the user says, if the network can be so."""
    kind = model.output_kind
    if kind is None:
        return spec
    if kind not in KINDS:
        raise ModelError(unknown_name("output kind", kind, KINDS))
    if kind == "image" and could_be_picture(model.input, spec.shape):
        return OutputSpec("image", spec.shape, spec.activation, spec.before, "as output_kind= says")
    if (kind == "maps") != (spec.kind == "maps") or (kind == "tensor") != (spec.kind == "tensor") or kind == "image":
        of = {"maps": "maps (N, K, H, W)", "tensor": "none of (N, K) and (N, K, H, W)"}
        of |= {"maps": "maps of another size or number of channels than the image"} if kind == "image" else {}
        raise ModelError(
            f"output_kind is {kind!r}, but the output has shape {(None, *spec.shape)}, which is "
            f"{of.get(spec.kind, 'a vector (N, K)')}"
        )
    if kind in {spec.kind, "maps", "tensor"}:
        return spec
    if len(spec.shape) and spec.shape[0] == 1:
        kind = {"logits": "independent_logits", "probabilities": "independent"}.get(kind, kind)
    return spec if kind == spec.kind else _vector_of_kind(kind, spec, values)


def _vector_of_kind(kind: str, spec: OutputSpec, values: Mapping[str, Values]) -> OutputSpec:
    """A vector of the kind that the user says.

    Raises:
        ModelError: its values cannot be of that kind, or it is known to be of another.
    """
    activation = activation_of(kind)
    output = values[OUTPUT]
    if activation and not _fits(activation, output, 2e-2):
        raise ModelError(
            f"output_kind is {kind!r}, but this network gives numbers from {output.min():.4g} to {output.max():.4g} "
            f"which no {activation} gives; leave output_kind out, or give another of {', '.join(KINDS)}"
        )
    if spec.activation and kind in {"logits", "independent_logits"}:
        raise ModelError(
            f"output_kind is {kind!r}, but the network ends in a {spec.activation} ({spec.evidence}), so that its "
            "outputs are not logits; leave output_kind out"
        )
    before = spec.before if spec.activation == activation else None
    return OutputSpec(kind, spec.shape, activation, before, "as output_kind= says")
