"""Layers with rectified maps, grouped by resolution; recognised by their values, not by a framework's names.

PyTorch has a Conv2d and a ReLU module, Keras often one Conv2D with its activation inside, ONNX a Conv and a Relu node.
The rule that fits all: the first layer without a negative value at or after each layer with a kernel. Pooling, dropout
and transposition after it repeat it and do not count; nor does a sigmoid, the gate that ONNX shows of a SiLU.
"""

import numpy as np

from ..arrays import Array, namespace
from ..errors import LayerError
from ..model.base import Model
from ..objective import preactivation
from ..operators import Resize, Size
from .default_layer import spatial_layers

__all__ = ["last_of_scales", "layer_of_units", "rectified_scales"]

_GATES = frozenset({"sigmoid", "hardsigmoid"})


def rectified_scales(model: Model, image: Array) -> list[list[str]]:
    """Names of the layers with rectified maps, in execution order, one list per resolution, finest first met first.

    Args:
        model: any network.
        image: (1, C, H, W); looked at no larger than the model's own size, to find where nothing is negative.

    Raises:
        LayerError: there is no such layer, as in networks with GELU or SiLU; name the layers yourself.
    """
    names = [layer.name for layer in spatial_layers(model)]
    scales = _rectified(model, image, names)
    if not scales:
        raise LayerError(
            "no layer of this model has rectified maps (N, C, H, W), so there is no default; "
            f"name layers with maps yourself: {', '.join(names[:4]) or 'this model has none'}"
        )
    return list(scales.values())


def _rectified(model: Model, image: Array, names: list[str], zeros: bool = False) -> dict[Size, list[str]]:
    """`rectified_scales` by (h, w), empty where nothing is rectified; with `zeros`, a layer must also hold some."""
    activations = model.forward(_small(image, model.input.size), names) if names else {}
    scales: dict[Size, list[str]] = {}
    fresh = False
    for name in names:
        fresh = fresh or "kernel" in model.weights(name)
        maps = activations[name]
        gate = model.layer(name).kind.lower() in _GATES
        if (
            fresh
            and not gate
            and bool(namespace(maps).all(maps >= 0))
            and (not zeros or bool(namespace(maps).any(maps == 0)))
        ):
            scales.setdefault((maps.shape[2], maps.shape[3]), []).append(name)
            fresh = False
    return scales


def last_of_scales(model: Model, image: Array) -> list[str]:
    """The last rectified layer of each resolution; where a network has none, the last with a kernel, in any framework.

    Raises:
        LayerError: no layer with maps has a kernel.
    """
    names = [layer.name for layer in spatial_layers(model)]
    scales = _rectified(model, image, names, zeros=True)  # inside a GELU, ONNX shows 1 + erf, positive and no rectifier
    if not scales:
        for name in (name for name in names if "kernel" in model.weights(name)):
            scales.setdefault(model.layer(name).shape[2:], []).append(name)  # type: ignore[arg-type]
    if not scales:
        raise LayerError(
            "this network has no layer with a kernel and maps (N, C, H, W), so there is no default; name one"
        )
    return [inner[-1] for inner in scales.values()]


def layer_of_units(model: Model) -> str:
    """Whose channels to show where no layer is named: the last of the last scale but one, before its rectifier.

    There an idle channel has a gradient, and one at the cap of a ReLU6 too. Where the rectifier lies inside the layer,
    as in a Keras Conv2D with an activation, it is the rectified layer itself.

    Raises:
        LayerError: no layer with maps has a kernel.
    """
    noise = model.input.from_unit(np.random.default_rng(0).random((1, *model.input.example_shape), dtype=np.float32))
    rectified = last_of_scales(model, noise)[-2:][0]
    try:
        return preactivation(model, rectified)
    except LayerError:
        return rectified


def _small(image: Array, limit: Size) -> Array:
    size = image.shape[-2], image.shape[-1]
    return Resize(size, limit).apply(image) if size[0] > limit[0] and size[1] > limit[1] else image
