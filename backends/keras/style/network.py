"""A style network as a functional Keras model, channels last, of Keras' own layers and functions only.

So plain Keras opens its file: there is no Lambda layer and no class of crosslens in it. Paddings are explicit: Keras'
"same" pads an even size at one side only where a convolution has a stride, and with zeros.
"""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from crosslens.style_network.architecture import Convolution, architecture
from crosslens.style_network.spec import EPSILON, StyleSpec
from keras import layers, ops

__all__ = ["build"]

Weights = Mapping[str, "np.ndarray[Any, Any]"]


def build(spec: StyleSpec, weights: Weights) -> keras.Model:
    """A style network for images (N, H, W, 3) in [0, 1], or features (N, h, w, C), and any N, H and W.

    Args:
        spec: the network.
        weights: by the names that PyTorch's state_dict gives them, and in its layouts.
    """
    channels = spec.code[0] if spec.code else 3
    image = keras.Input((None, None, channels), name=spec.input_name)
    inputs = [image]
    if spec.has_style_weights:
        inputs.append(keras.Input((spec.styles,), name="style_weights"))
    x, kept, before = image, image, []
    for each in architecture(spec):
        own = {name.removeprefix(f"{each.name}."): w for name, w in weights.items() if name.startswith(f"{each.name}.")}
        if each.stride > 1:
            before.append(x)
        if each.residual == "start":
            kept = x
        if each.enlarges:
            x = _enlarged(x, before.pop()) if before else layers.UpSampling2D(2, interpolation="nearest")(x)
        x = _normalised(_convolution(x, each, own), each, own, inputs[-1])
        if each.residual == "end":
            x = layers.Add(name=f"{each.name}.sum")([x, kept])
        if each.activation != "none":
            x = layers.Activation(each.activation, name=f"{each.name}.{each.activation}")(x)
    return keras.Model(inputs if spec.has_style_weights else image, x)


def _convolution(x: Any, each: Convolution, weights: Weights) -> Any:
    """The padded convolution; kernels are (rows, columns, inputs, outputs) here."""
    pad = [each.kernel // 2] * 2
    x = ops.pad(x, [[0, 0], pad, pad, [0, 0]], mode="reflect")
    bias = "convolution.bias" in weights
    layer = layers.Conv2D(each.outputs, each.kernel, each.stride, use_bias=bias, name=f"{each.name}.convolution")
    kernel = weights["convolution.weight"].transpose(2, 3, 1, 0)
    return _with_weights(layer, x, [kernel, weights["convolution.bias"]] if bias else [kernel])


def _enlarged(x: Any, like: Any) -> Any:
    """Twice as large by nearest neighbour, cut to the height and width of `like`: y[i] = x[i // 2].

    The indices are counted on `like`, as Keras has no layer that cuts to a size which is known only when it runs.
    """
    for axis, others in ((1, (0, 2, 3)), (2, (0, 1, 3))):
        count = ops.cumsum(ops.ones_like(ops.max(like, axis=others)))
        x = ops.take(x, ops.cast((count - 1) // 2, "int32"), axis=axis)
    return x


def _normalised(x: Any, each: Convolution, weights: Weights, style_weights: Any) -> Any:
    name = f"{each.name}.norm"
    scale_and_shift = [weights[key] for key in ("norm.weight", "norm.bias") if key in weights]
    match each.norm:
        case "instance":
            scale, shift = scale_and_shift
            return _with_weights(
                layers.DepthwiseConv2D(1, name=name), _standardised(x), [scale[None, None, :, None], shift]
            )
        case "batch":
            statistics = [weights["norm.running_mean"], weights["norm.running_var"]]
            layer = layers.BatchNormalization(epsilon=EPSILON, name=name)
            return _with_weights(layer, x, [*scale_and_shift, *statistics])
        case "conditional":
            scale, shift = (
                _mixed(style_weights, table, f"{name}.{key}")
                for key, table in zip(("scale", "shift"), scale_and_shift, strict=True)
            )
            return layers.Add(name=name)([layers.Multiply()([_standardised(x), scale]), shift])
    return x


def _standardised(x: Any) -> Any:
    """Each picture's channels with mean 0 and variance 1.

    Means of the rows' means: TensorFlow adds 262,144 pixels one after another, which leaves an error of 1e-5 in the
    picture behind 15 of Keras' GroupNormalization; this leaves 3e-6, as PyTorch does.
    """
    centred = x - ops.mean(ops.mean(x, axis=2, keepdims=True), axis=1, keepdims=True)
    variance = ops.mean(ops.mean(ops.square(centred), axis=2, keepdims=True), axis=1, keepdims=True)
    return centred * ops.rsqrt(variance + EPSILON)


def _mixed(style_weights: Any, table: "np.ndarray[Any, Any]", name: str) -> Any:
    """The styles' values, (styles, C), mixed: shape (N, 1, 1, C)."""
    channels = table.shape[1]
    values = _with_weights(layers.Dense(channels, use_bias=False, name=name), style_weights, [table])
    return layers.Reshape((1, 1, channels))(values)


def _with_weights(layer: Any, x: Any, weights: list["np.ndarray[Any, Any]"]) -> Any:
    """The layer's output, the layer holding these weights."""
    y = layer(x)
    layer.set_weights(weights)
    return y
