"""One small network with the same weights in three frameworks, for pictures or for volumes, as objects and as files."""

import contextlib
import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

WAYS = ("torch", ".pt2", "keras", ".keras", "SavedModel", "onnx", ".onnx", "factory")
CLASSES = 3


def weights(channels: int, axes: int) -> list[np.ndarray]:
    """Kernel (6, C, 3, ...), its bias, kernel (4, 6, 3, ...), its bias, kernel (3, 4), its bias."""
    rng = np.random.default_rng(0)
    shapes = [(6, channels, *[3] * axes), (6,), (4, 6, *[3] * axes), (4,), (CLASSES, 4), (CLASSES,)]
    return [(rng.standard_normal(s) / np.sqrt(np.prod(s[1:]) or 1)).astype(np.float32) for s in shapes]


def torch_net(channels: int, axes: int) -> nn.Module:
    kind, pool = (nn.Conv2d, nn.AdaptiveAvgPool2d) if axes == 2 else (nn.Conv3d, nn.AdaptiveAvgPool3d)
    net = nn.Sequential(
        kind(channels, 6, 3), nn.ReLU(), kind(6, 4, 3), nn.ReLU(), pool(1), nn.Flatten(), nn.Linear(4, CLASSES)
    )
    for parameter, values in zip(net.parameters(), weights(channels, axes), strict=True):
        parameter.data = torch.from_numpy(values.copy())
    return net.eval()


def keras_net(shape: tuple[int, ...]) -> Any:
    """Channels last inside, as Keras has it; `shape` is (C, ...)."""
    axes = len(shape) - 1
    layers = keras.layers
    conv, pool = (
        (layers.Conv2D, layers.GlobalAveragePooling2D) if axes == 2 else (layers.Conv3D, layers.GlobalAveragePooling3D)
    )
    x = keras.Input((*shape[1:], shape[0]))
    y = layers.ReLU(name="r2")(conv(4, 3, name="c2")(layers.ReLU(name="r1")(conv(6, 3, name="c1")(x))))
    net = keras.Model(x, layers.Dense(CLASSES, name="fc")(pool()(y)))
    k1, b1, k2, b2, w, b = weights(shape[0], axes)
    last = (*range(2, axes + 2), 1, 0)
    net.set_weights([k1.transpose(last), b1, k2.transpose(last), b2, w.T, b])
    return net


def onnx_model(shape: tuple[int, ...]) -> Any:
    axes = len(shape) - 1
    names = ("k1", "b1", "k2", "b2", "w", "b")
    nodes = [
        helper.make_node("Conv", ["x", "k1", "b1"], ["c1"], name="c1"),
        helper.make_node("Relu", ["c1"], ["r1"], name="r1"),
        helper.make_node("Conv", ["r1", "k2", "b2"], ["c2"], name="c2"),
        helper.make_node("Relu", ["c2"], ["r2"], name="r2"),
        helper.make_node("GlobalAveragePool", ["r2"], ["p"], name="p"),
        helper.make_node("Flatten", ["p"], ["f"], name="f"),
        helper.make_node("Gemm", ["f", "w", "b"], ["y"], name="fc", transB=1),
    ]
    value = lambda name, dims: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)  # noqa: E731
    graph = helper.make_graph(
        nodes,
        "net",
        [value("x", ["N", *shape])],
        [value("y", ["N", CLASSES])],
        [numpy_helper.from_array(v, n) for n, v in zip(names, weights(shape[0], axes), strict=True)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def network(way: str, shape: tuple[int, ...], folder: Path) -> Any:
    """What `crosslens.wrap` takes: an object, or the path of a file written into `folder`."""
    axes = len(shape) - 1
    if way == "torch":
        return torch_net(shape[0], axes)
    if way == "factory":
        return "three_ways:picture_net" if axes == 2 else "three_ways:volume_net"
    if way == ".pt2":
        batch = {0: torch.export.Dim("batch")}
        program = torch.export.export(torch_net(shape[0], axes), (torch.zeros(2, *shape),), dynamic_shapes=(batch,))
        torch.export.save(program, folder / "net.pt2")
        return folder / "net.pt2"
    if way == "onnx":
        return onnx_model(shape)
    if way == ".onnx":
        onnx.save(onnx_model(shape), folder / "net.onnx")
        return folder / "net.onnx"
    net = keras_net(shape)
    if way == "keras":
        return net
    if way == ".keras":
        net.save(folder / "net.keras")
        return folder / "net.keras"
    with contextlib.redirect_stdout(io.StringIO()):
        net.export(folder / "saved", verbose=False)
    return folder / "saved"


def picture_net() -> nn.Module:
    return torch_net(3, 2)


def volume_net() -> nn.Module:
    return torch_net(2, 3)


LAST_MAPS = dict.fromkeys(WAYS, "r2") | dict.fromkeys(("torch", ".pt2", "factory"), "3")
"""The name of the last layer with maps; SavedModels name their own."""
