"""Small sound files of every kind that crosslens reads, from which hostile ones are made."""

import atexit
import os
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import numpy as np

from .frame.family import in_child

__all__ = ["ARRAYS", "MODELS", "PICTURES", "sound"]

MODELS = ("net.onnx", "net.pt2", "net.pt", "net.keras", "net.h5")
PICTURES = ("cat.png", "cat.jpg", "cat.gif", "cat.bmp", "cat.tif", "cat.webp", "cat.ppm")
ARRAYS = ("a.npy", "a.npz")


def sound(name: str) -> bytes:
    """The content of a sound file; each is made once a process."""
    return (_folder(name.partition(".")[2]) / name).read_bytes()


@cache
def _folder(suffix: str) -> Path:
    folder, owner = Path(mkdtemp(prefix="sound-")), os.getpid()
    atexit.register(lambda: rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
    maker = {"onnx": _onnx, "pt2": _torch, "pt": _torch, "keras": _keras, "h5": _keras}.get(suffix, _data)
    in_child(lambda: maker(folder))
    return folder


def _onnx(folder: Path) -> None:
    import onnx
    from onnx import helper, numpy_helper

    random = np.random.default_rng(0)
    weights = {"w": random.standard_normal((4, 3, 3, 3)) / 5, "v": random.standard_normal((4, 5)), "b": np.zeros(5)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("GlobalAveragePool", ["r"], ["p"], name="pool"),
        helper.make_node("Flatten", ["p"], ["f"], name="flatten"),
        helper.make_node("Gemm", ["f", "v", "b"], ["y"], name="fc"),
    ]
    shapes = {"x": ["n", 3, 16, 16], "y": ["n", 5]}
    infos = {name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "net", [infos["x"]], [infos["y"]], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "net.onnx")


def _torch(folder: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)).eval()
    images = torch.zeros(2, 3, 16, 16)
    program = torch.export.export(net, (images,), dynamic_shapes=({0: torch.export.Dim("n")},))
    torch.export.save(program, str(folder / "net.pt2"))
    torch.jit.save(torch.jit.trace(net, images), str(folder / "net.pt"))


def _keras(folder: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.Conv2D(4, 3, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(5),
    ]
    net = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    net.save(folder / "net.keras")
    net.save(folder / "net.h5")


def _data(folder: Path) -> None:
    from PIL import Image

    values = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    for name in PICTURES:
        Image.fromarray(values).save(folder / name)
    np.save(folder / "a.npy", values)
    np.savez_compressed(folder / "a.npz", images=values[None], labels=np.zeros(1, int))
