"""A small torch network as files of three frameworks, with the same weights and the same names of layers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import crosslens
import torch
from torch import nn

__all__ = ["export", "in_keras"]


def in_keras(net: nn.Module, shape: tuple[int, int, int]) -> Any:
    """The same network with the same weights in Keras, layers under the same names; `shape` is torch's, (C, H, W)."""
    import keras

    channels, height, width = shape
    x = inputs = keras.Input((height, width, channels))
    flattened: tuple[int, ...] = ()
    for name, each in net.named_children():
        layer = _keras_layer(keras.layers, each, name)
        flattened = tuple(x.shape[1:]) if isinstance(each, nn.Flatten) else flattened
        x = layer(x)
        if layer.weights:
            layer.set_weights([_keras_kernel(each.weight, flattened), each.bias.detach().numpy()])
            flattened = ()
    return keras.Model(inputs, x)


def _keras_kernel(weight: torch.Tensor, flattened: tuple[int, ...]) -> Any:
    """A kernel as Keras has it; the first dense layer behind maps (H, W, C) meets their values with channels last."""
    kernel = weight.detach().numpy()
    if kernel.ndim == 4:
        return kernel.transpose(2, 3, 1, 0)
    if len(flattened) == 3:
        height, width, channels = flattened
        kernel = kernel.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(kernel), -1)
    return kernel.T


def _keras_layer(layers: Any, module: nn.Module, name: str) -> Any:
    if isinstance(module, nn.Conv2d):
        return layers.Conv2D(module.out_channels, module.kernel_size, module.stride, padding="same", name=name)
    if isinstance(module, nn.Linear):
        return layers.Dense(module.out_features, name=name)
    if isinstance(module, nn.MaxPool2d):
        return layers.MaxPooling2D(module.kernel_size, name=name)
    if isinstance(module, nn.AvgPool2d):
        return layers.AveragePooling2D(module.kernel_size, name=name)
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return layers.GlobalAveragePooling2D(name=name)
    return layers.Flatten(name=name) if isinstance(module, nn.Flatten) else layers.ReLU(name=name)


def export(
    net: nn.Module,
    folder: Path,
    name: str,
    shape: tuple[int, int, int],
    labels: Sequence[str],
    preprocess: str | Mapping[str, Any] = "none",
) -> None:
    """Write the network's three files for images of `shape` (C, H, W), with the names of its outputs.

    `preprocess` is what the network wants done to images in [0, 1]; it is attached, not part of the graph.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    example, batch = torch.zeros(2, *shape), torch.export.Dim("batch")
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=({0: batch},)), folder / f"{name}.pt2")
    torch.onnx.export(
        net, (example,), folder / f"{name}.onnx", dynamo=True, external_data=False, dynamic_shapes=({0: batch},),
        verbose=False,
    )  # fmt: skip
    in_keras(net, shape).save(folder / f"{name}.keras")
    for ending in ("pt2", "onnx", "keras"):
        crosslens.attach(folder / f"{name}.{ending}", preprocess=preprocess, labels=list(labels))
    print(f"written: {folder}/{name}.onnx, {name}.pt2, {name}.keras")
