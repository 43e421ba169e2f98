"""The former address of `crosslens.introspection`: its names still work from here, with a DeprecationWarning."""

from importlib import import_module
from typing import Any
from warnings import warn

_NAMES = ("attention_maps", "classes", "default_layer", "last_maps", "spatial_layers")


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warn(f"crosslens.anatomy.{name} has moved: use crosslens.introspection.{name}", DeprecationWarning, stacklevel=2)
    return getattr(import_module("crosslens.introspection"), name)
