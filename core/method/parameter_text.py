"""Values of parameters as people type them: "40", "linf", "16,8", "yes", as what an annotation says."""

from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

__all__ = ["items_of", "members", "repeats", "value_of_text"]

_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def members(annotation: Any) -> list[Any]:
    """The types of a union, or the type itself; None is how an option is left out."""
    is_union = not isinstance(annotation, type) and get_origin(annotation) not in {tuple, list, Sequence}
    found = [m for m in get_args(annotation) if m is not NoneType] if is_union else []
    return found or [annotation]


def value_of_text(kind: Any, text: str) -> Any:
    """The text as a value of this type: a number, a path, a truth, a text, or several divided at commas.

    >>> value_of_text(float, "0.5"), value_of_text(tuple[int, int], "16x8"), value_of_text(bool, "no")
    (0.5, (16, 8), False)

    A number can be a fraction, as the radii of attacks on 8-bit pictures are written:

    >>> value_of_text(float, "8/256")
    0.03125

    Raises:
        ValueError: it is none.
    """
    if kind is bool:
        if text.lower() not in _TRUTH:
            raise ValueError(f"{text!r} is not yes or no")
        return _TRUTH[text.lower()]
    if kind is float:
        return _number(text)
    if kind in {int, Path}:
        return kind(text)
    if get_origin(kind) is None:
        return text
    parts = (text.replace("x", ",") if str not in get_args(kind) else text).split(",")
    return tuple(value_of_text(each, part) for each, part in zip(items_of(kind, len(parts)), parts, strict=True))


def _number(text: str) -> float:
    over, _, under = text.partition("/")
    if not under:
        return float(text)
    if not float(under):
        raise ValueError(f"{text!r} divides by 0")
    return float(over) / float(under)


def items_of(kind: Any, count: int) -> Sequence[Any]:
    """The type of each item of a tuple: (A, B) as they stand, the only one repeated."""
    return [get_args(kind)[0]] * count if repeats(kind) else get_args(kind)


def repeats(kind: Any) -> bool:
    """Whether it holds any number of items of one type: tuple[int, ...], Sequence[int]."""
    return ... in get_args(kind) or get_origin(kind) is not tuple
