"""`as_texts`: what names several things, as a parameter of several texts holds it."""

import os
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

__all__ = ["as_texts"]


def as_texts(value: Any) -> Any:
    """A text, a whole number or a path, or several of these, as a tuple of texts; anything else as it is.

    >>> as_texts((4, "9")), as_texts("cat.png"), as_texts(4), as_texts(0.5)
    (('4', '9'), ('cat.png',), ('4',), 0.5)
    """
    several: Sequence[Any] = [value]
    if isinstance(value, tuple | list):
        several = value
    elif isinstance(value, np.ndarray) and value.ndim == 1:
        several = value.tolist()
    return tuple(map(_text, several)) if all(map(_is_name, several)) else value


def _is_name(value: Any) -> bool:
    return isinstance(value, str | os.PathLike | Integral) and not isinstance(value, bool | np.bool_)


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, Integral) else os.fspath(value)
