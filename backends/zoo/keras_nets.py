"""The zoo's networks as functional Keras models on NHWC images, every activation a layer of its own.

Layers have the names of the torch modules, so that one name means one thing in both.
"""

from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers

from . import weights
from .plans import Block, lite0_blocks

__all__ = ["lite0"]


def lite0() -> keras.Model:
    """EfficientNet-Lite0 with its ImageNet weights: (N, 224, 224, 3) -> (N, 1000) logits."""
    image = keras.Input((224, 224, 3), name="image")
    x = _conv(image, 32, 3, 2, name="conv_stem")
    x = _normalised_relu6(x, "0")
    for place, block in enumerate(lite0_blocks()):
        x = _inverted_residual(x, block, f"blocks.{place}")
    x = _normalised_relu6(_conv(x, 1280, 1, name="conv_head"), "1")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return _loaded(keras.Model(image, layers.Dense(1000, name="fc")(x), name="lite0"), weights.lite0())


def _inverted_residual(x: KerasTensor, block: Block, name: str) -> KerasTensor:
    y = x
    if block.expand > 1:
        y = _conv(y, block.inputs * block.expand, 1, name=f"{name}.expand_conv")
        y = _normalised_relu6(y, "0", f"{name}.")
    depthwise = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding="same", use_bias=False, name=f"{name}.depthwise_conv"
    )
    y = _normalised_relu6(depthwise(y), "1", f"{name}.")
    y = _conv(y, block.outputs, 1, name=f"{name}.project_conv")
    y = layers.BatchNormalization(epsilon=1e-3, name=f"{name}.bn2")(y)
    return layers.Add(name=name)([x, y]) if block.residual else y


def _conv(x: KerasTensor, outputs: int, kernel: int, stride: int = 1, *, name: str) -> KerasTensor:
    return layers.Conv2D(outputs, kernel, stride, padding="same", use_bias=False, name=name)(x)


def _normalised_relu6(x: KerasTensor, number: str, prefix: str = "") -> KerasTensor:
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{prefix}bn{number}")(x)
    return layers.ReLU(6.0, name=f"{prefix}relu{number}")(x)


_ORDER = ("kernel", "bias", "scale", "offset", "mean", "variance")


def _loaded(network: keras.Model, shipped: weights.Layers) -> keras.Model:
    """The network with these weights, all of them and no others."""
    weighted = {layer.name: layer for layer in network.layers if layer.weights}
    if weighted.keys() != shipped.keys():
        raise ValueError(f"layers without a counterpart: {sorted(weighted.keys() ^ shipped.keys())}")
    for name, layer in weighted.items():
        layer.set_weights([_as_stored(layer, shipped[name][key]) for key in _ORDER if key in shipped[name]])
    return network


def _as_stored(layer: keras.Layer, values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """From `Model.weights`' layout to Keras': kernels (kh, kw, in, out), depthwise (kh, kw, channels, 1), (in, out)."""
    if values.ndim == 4:
        return values.transpose((2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0))
    return values.T
