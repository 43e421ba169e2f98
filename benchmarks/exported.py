"""A small torch network as files of three frameworks, with the same weights and the same names of layers."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import crosslens
import numpy as np
import torch
from crosslens.arrays import as_numpy
from torch import nn

__all__ = ["assert_alike", "export", "in_keras"]

NEAR = 1e-5
"""How far the outputs of two files may lie apart, as a share of the largest where that is more than 1."""


def in_keras(net: nn.Module, shape: tuple[int, ...]) -> Any:
    """The same network with the same weights in Keras, layers under the same names.

    Args:
        net: a row of layers, each of which has a name, or is an nn.Sequential of such.
        shape: of one input as torch has it: (C, H, W), or (numbers,) for a code.
    """
    import keras

    x = inputs = keras.Input((*shape[1:], shape[0]))
    flattened: tuple[int, ...] = ()
    for name, each in net.named_children():
        flattened = tuple(x.shape[1:]) if isinstance(each, nn.Flatten) else flattened
        for layer in _keras_layers(keras.layers, each, name):
            x = layer(x)
            if layer.weights:
                layer.set_weights([_keras_kernel(each, flattened), each.bias.detach().numpy()])
                flattened = ()
    return keras.Model(inputs, x)


def _keras_kernel(module: Any, flattened: tuple[int, ...]) -> Any:
    """A kernel as Keras has it; the first dense layer behind maps (H, W, C) meets their values with channels last."""
    kernel = module.weight.detach().numpy()
    if kernel.ndim == 4:
        return kernel.transpose(2, 3, 1, 0)
    if len(flattened) == 3:
        height, width, channels = flattened
        kernel = kernel.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(kernel), -1)
    return kernel.T


def _keras_layers(layers: Any, module: nn.Module, name: str) -> list[Any]:
    """What does in Keras what a module does: one layer, or two, the last of which has the name.

    Raises:
        TypeError: no layer here does what the module does.
    """
    if isinstance(module, nn.Unflatten):
        channels_first = tuple(module.unflattened_size)
        return [layers.Reshape(channels_first, name=f"{name}_channels_first"), layers.Permute((2, 3, 1), name=name)]
    return [_keras_layer(layers, module, name)]


def _keras_layer(layers: Any, module: nn.Module, name: str) -> Any:
    if isinstance(module, nn.Conv2d):
        return layers.Conv2D(module.out_channels, module.kernel_size, module.stride, padding="same", name=name)
    if isinstance(module, nn.ConvTranspose2d):
        return layers.Conv2DTranspose(module.out_channels, module.kernel_size, module.stride, padding="same", name=name)
    if isinstance(module, nn.Linear):
        return layers.Dense(module.out_features, name=name)
    if isinstance(module, nn.MaxPool2d):
        return layers.MaxPooling2D(module.kernel_size, name=name)
    if isinstance(module, nn.AvgPool2d):
        return layers.AveragePooling2D(module.kernel_size, name=name)
    if isinstance(module, nn.Upsample):
        return layers.UpSampling2D(int(module.scale_factor), interpolation=module.mode, name=name)
    if isinstance(module, nn.Sigmoid | nn.Tanh):
        return layers.Activation(type(module).__name__.lower(), name=name)
    without_options = {
        nn.AdaptiveAvgPool2d: layers.GlobalAveragePooling2D, nn.Flatten: layers.Flatten, nn.ReLU: layers.ReLU,
    }  # fmt: skip
    if type(module) not in without_options:
        raise TypeError(f"no layer of Keras is known here for {module}: add it to benchmarks/exported.py")
    return without_options[type(module)](name=name)


def export(
    net: nn.Module,
    folder: Path,
    name: str,
    shape: tuple[int, ...],
    labels: Sequence[str] = (),
    preprocess: str | Mapping[str, Any] = "none",
) -> None:
    """Write the network's three files for inputs of `shape`, (C, H, W) or (numbers,), with the names of its outputs.

    `preprocess` is what the network wants done to images in [0, 1]; it is attached, not part of the graph. To the
    files of a network that takes codes nothing is attached.

    Raises:
        AssertionError: the outputs of two files differ by more than `NEAR` on noise.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    example, batch = torch.zeros(2, *shape), torch.export.Dim("batch")
    torch.export.save(torch.export.export(net, (example,), dynamic_shapes=({0: batch},)), folder / f"{name}.pt2")
    torch.onnx.export(
        net, (example,), folder / f"{name}.onnx", dynamo=True, external_data=False, dynamic_shapes=({0: batch},),
        verbose=False,
    )  # fmt: skip
    in_keras(net, shape).save(folder / f"{name}.keras")
    paths = [folder / f"{name}.{ending}" for ending in ("pt2", "onnx", "keras")]
    for path in paths if len(shape) > 1 else []:
        crosslens.attach(path, preprocess=preprocess, labels=list(labels) or None)
    assert_alike(paths)
    print(f"written: {folder}/{name}.onnx, {name}.pt2, {name}.keras")


def assert_alike(paths: Sequence[Path]) -> None:
    """Raise AssertionError where two files' outputs for the same noise differ by more than `NEAR`."""
    models = [crosslens.wrap(path) for path in paths]
    shape = models[0].input.example_shape
    noise = np.random.default_rng(0).random((4, *shape), dtype=np.float32)
    outputs = [as_numpy(model.forward(noise)[crosslens.OUTPUT]) for model in models]
    apart = max(float(np.abs(first - each).max()) for first in outputs[:1] for each in outputs[1:])
    assert apart <= NEAR * max(1.0, float(np.abs(outputs[0]).max())), f"{[p.name for p in paths]} differ by {apart:.2g}"
