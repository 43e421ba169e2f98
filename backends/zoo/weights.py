"""The shipped weights as NumPy arrays, layer by layer, in the layouts of `Model.weights`; what all rebuilds read.

A layer's parameters are named as in `Model.weights`: kernel (out, in / groups, kh, kw) or (out, in), bias; for
normalisations scale, offset, mean and variance.
"""

import re
from collections.abc import Mapping
from functools import cache
from io import BytesIO
from typing import Any

import numpy as np
from crosslens.files.cached_file import cached_file

from .packaged import DCGAN, LITE0, VGG16, XCEPTION, PackagedFile, packaged
from .plans import VGG16_STAGES

__all__ = ["Layers", "dcgan", "lite0", "vgg16", "xception"]

Parameters = dict[str, np.ndarray[Any, Any]]
Layers = Mapping[str, Parameters]

_NAMES = {"weight": "kernel", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
_NORMALISATION = {"kernel": "scale", "bias": "offset"}


@cache
def lite0() -> Layers:
    """EfficientNet-Lite0's layers under their published names, less the leading underscores: blocks.0.project_conv."""
    return _layers({re.sub(r"(^|\.)_", r"\1", name): values for name, values in _state("lite0", LITE0).items()})


@cache
def dcgan() -> Layers:
    """The DCGAN generator's layers by their place in its `nn.Sequential`: "0", "1", "3" and so on."""
    state = _state("dcgan", DCGAN, "netG_state_dict")
    layers = _layers({name.removeprefix("main."): values for name, values in state.items()})
    return {name: _outputs_first(layer) for name, layer in layers.items()}


def _state(network: str, file: PackagedFile, part: str | None = None) -> Parameters:
    """The tensors of a file of torch by name; kept as .npz in the cache folder, so that torch is imported once only."""
    path = packaged(file)

    def read() -> bytes:
        import torch

        state = torch.load(path, weights_only=True, map_location="cpu")
        content = BytesIO()
        np.savez(content, **{name: values.numpy() for name, values in (state[part] if part else state).items()})
        return content.getvalue()

    with np.load(BytesIO(cached_file(f"{network}-weights.npz", file.sha256, read)), allow_pickle=False) as stored:
        return dict(stored)


@cache
def vgg16() -> Layers:
    """VGG16's block1_conv1 to block5_conv3 and the head's fc1, bn1, fc2, bn2, fc3 and fc4, from the ONNX file.

    fc1's columns are in the order of a flattened (C, H, W), where the file has (H, W, C); its normalisations, folded
    into a product and a sum, have mean 0 and variance 1 here.
    """
    import onnx

    held = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(packaged(VGG16)).graph.initializer}
    layers: dict[str, Parameters] = {}
    for stage, (convolutions, _) in enumerate(VGG16_STAGES, start=1):
        for place in range(1, convolutions + 1):
            name = f"block{stage}_conv{place}"
            prefix = f"functional_1/{name}_1"
            kernel, bias = held[f"{prefix}/convolution/ReadVariableOp:0"], held[f"{prefix}/Squeeze:0"]
            layers[name] = {"kernel": kernel, "bias": bias}
    for name, node in {"fc1": "dense_1", "fc2": "dense_1_2", "fc3": "dense_2_1", "fc4": "dense_3_1"}.items():
        kernel, bias = (held[f"functional_1/{node}/{part}/ReadVariableOp:0"] for part in ("Cast", "BiasAdd"))
        layers[name] = {"kernel": kernel.T, "bias": bias}
    for name, node in {"bn1": "batch_normalization_1", "bn2": "batch_normalization_1_2"}.items():
        scale, offset = (held[f"functional_1/{node}/batchnorm/{part}:0"] for part in ("mul", "sub"))
        layers[name] = {
            "scale": scale,
            "offset": offset,
            "mean": np.zeros_like(scale),
            "variance": np.ones_like(scale),
        }
    fc1 = layers["fc1"]["kernel"].reshape(64, 7, 7, 512)
    layers["fc1"]["kernel"] = fc1.transpose(0, 3, 1, 2).reshape(64, -1)
    return layers


@cache
def xception() -> Layers:
    """mini-Xception's layers under their names in the Keras file; NAME.depthwise and NAME.pointwise where separable."""
    import h5py  # type: ignore[import-untyped]

    layers: dict[str, Parameters] = {}
    with h5py.File(packaged(XCEPTION)) as file:
        for name, group in file["model_weights"].items():
            for path in group.attrs["weight_names"].astype(str):
                parameter, values = path.rpartition("/")[2].removesuffix(":0"), group[path][()]
                layer, key = _KERAS_NAMES.get(parameter, ("", parameter))
                layers.setdefault(name + layer, {})[key] = _channels_first(values, parameter)
    return layers


_KERAS_NAMES = {
    "depthwise_kernel": (".depthwise", "kernel"),
    "pointwise_kernel": (".pointwise", "kernel"),
    "gamma": ("", "scale"),
    "beta": ("", "offset"),
    "moving_mean": ("", "mean"),
    "moving_variance": ("", "variance"),
}


def _channels_first(values: np.ndarray[Any, Any], parameter: str) -> np.ndarray[Any, Any]:
    """Keras' kernels (kh, kw, in, out), depthwise (kh, kw, channels, 1), as (out, in / groups, kh, kw)."""
    if values.ndim != 4:
        return values
    return values.transpose((2, 3, 0, 1) if parameter == "depthwise_kernel" else (3, 2, 0, 1))


def _layers(state: Mapping[str, np.ndarray[Any, Any]]) -> dict[str, Parameters]:
    """A torch state_dict, grouped by layer and renamed."""
    layers: dict[str, Parameters] = {}
    for name, values in state.items():
        layer, _, parameter = name.rpartition(".")
        if parameter in _NAMES:
            layers.setdefault(layer, {})[_NAMES[parameter]] = values
    return {name: _normalisation_parameters(layer) if "variance" in layer else layer for name, layer in layers.items()}


def _normalisation_parameters(normalisation: Parameters) -> Parameters:
    return {_NORMALISATION.get(name, name): values for name, values in normalisation.items()}


def _outputs_first(layer: Parameters) -> Parameters:
    """A transposed convolution's kernel (in, out, kh, kw) as (out, in, kh, kw)."""
    return {name: np.swapaxes(v, 0, 1) if name == "kernel" else v for name, v in layer.items()}
