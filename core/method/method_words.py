"""A method in one line: the call that makes it, with the parameters that are not the default."""

from typing import Any

import numpy as np

from .parameter import parameters

__all__ = ["method_in_words"]

MOST = 60
"""Letters of one value."""


def method_in_words(method: Any) -> str:
    """Such as crosslens.method('grad_cam', layer='conv1')."""
    preset = getattr(method, "preset", None)
    given = [repr(getattr(method, "name", type(method).__name__))]
    given += [f"preset={preset.library!r}"] if preset is not None else []
    for each in parameters(method):
        value = getattr(method, each.name)
        if not _same(value, each.default):
            given.append(f"{each.name}={_short(value)}")
    return f"crosslens.method({', '.join(given)})"


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray) or hasattr(value, "__array_namespace__")


def _same(value: Any, default: Any) -> bool:
    return value is default or (not _is_array(value) and not _is_array(default) and bool(value == default))


def _short(value: Any) -> str:
    text = f"<array {tuple(value.shape)}>" if _is_array(value) else " ".join(repr(value).split())
    return text if len(text) <= MOST else f"{text[: MOST - 3]}..."
