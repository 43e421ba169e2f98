"""A statistic as text, by which a store finds its state again in another process: the class and every field's value."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from typing import Any

import numpy as np

from ..arrays import array_digest
from ..errors import ParameterError
from ..model.base import Model

__all__ = ["statistic_key", "value_key"]

LONGEST = 300
"""Letters; a longer text ends in a digest of the whole."""


def statistic_key(statistic: Any) -> str:
    """The same text for equal statistics, in any process; another one for others.

    Raises:
        ParameterError: a field holds what cannot be told from others of its kind.
    """
    text = value_key(statistic)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... {blake2b(text.encode(), digest_size=16).hexdigest()}"


def value_key(value: Any) -> str:
    """A value as text: numbers, text, tuples, mappings, sets, arrays, models, modules' functions and dataclasses."""
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return repr(value.item() if isinstance(value, np.generic) else value)
    if isinstance(value, Enum):
        return str(value)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(value_key, value))},)"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(value_key, value)))}}}"
    return _mapping_key(value) if isinstance(value, Mapping) else _object_key(value)


def _mapping_key(value: Mapping[Any, Any]) -> str:
    items = (f"{value_key(key)}: {value_key(each)}" for key, each in value.items())
    return f"{{{', '.join(items)}}}"


def _object_key(value: Any) -> str:
    if isinstance(value, Model):
        return f"Model({value.digest})"
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, np.ndarray) or hasattr(value, "__array_namespace__"):
        return f"array({tuple(value.shape)}, {value.dtype}, {array_digest(value)})"
    kind = value if callable(value) and hasattr(value, "__qualname__") else type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind is value and "<" not in name:
        return name
    if is_dataclass(value):
        held = [f"{each.name}={value_key(getattr(value, each.name))}" for each in fields(value) if each.compare]
        return f"{name}({', '.join(held)})"
    raise ParameterError(
        f"a store cannot keep what holds a {name}: it is found again by its values, which are numbers, text, tuples, "
        "arrays, functions of a module and dataclasses of these"
    )
