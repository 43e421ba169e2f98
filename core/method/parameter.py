"""The parameters of a method: how they are declared, and the one place where their values are checked.

A method is a dataclass, and its parameters are the fields that `param` makes. A value is stored as given and checked
when the method is called: its type, its bounds and its choices, as the declaration says.
"""

from collections.abc import Iterator, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from math import inf
from numbers import Integral, Real
from sys import float_info
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import numpy as np

from ..errors import ParameterError, did_you_mean
from ..limits.whole_numbers import LARGEST
from ..printable import shown

__all__ = ["Bounds", "check_value", "check_values", "param", "parameters"]


@dataclass(frozen=True)
class Bounds:
    """What a number must keep: `minimum` and `maximum` are allowed themselves, `above` and `below` are not."""

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None

    def contain(self, number: Any) -> bool:
        """Whether a number is finite, as a float too, and keeps them."""
        return bool(
            -inf < number < inf
            and (not isinstance(number, int) or abs(number) <= float_info.max)
            and (self.minimum is None or number >= self.minimum)
            and (self.maximum is None or number <= self.maximum)
            and (self.above is None or number > self.above)
            and (self.below is None or number < self.below)
        )

    def record(self) -> dict[str, float]:
        """Those that there are, by name."""
        return {name: limit for name, limit in vars(self).items() if limit is not None}

    def __str__(self) -> str:
        words = {"at least": self.minimum, "above": self.above, "at most": self.maximum, "below": self.below}
        return " and ".join(f"{word} {_limit(limit)}" for word, limit in words.items() if limit is not None)


def _limit(limit: float) -> str:
    return str(limit) if isinstance(limit, int) else f"{limit:g}"


def param(
    default: Any = MISSING,
    doc: str = "",
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    below: float | None = None,
    choices: Sequence[str] | None = None,
    search: Any = None,
) -> Any:
    """A parameter of a method, with what its value must be; it is checked when the method is called.

    Args:
        default: its value if none is given; without a default it must be given.
        doc: one line: what it is, its unit, what None means.
        minimum: the least number that is allowed; of a parameter of several numbers, for each.
        maximum: the largest number that is allowed.
        above: every number must be larger than this one; `above=0` for a learning rate.
        below: every number must be smaller than this one.
        choices: the texts that are allowed; one that ends in a word in capitals after a colon, "data:FILE", stands for
            every text that begins so.
        search: how `crosslens search` varies it: (low, high), or what else `crosslens.synthesis.search_space` takes.
    """
    metadata: dict[str, Any] = {"doc": doc}
    bounds = Bounds(minimum, maximum, above, below)
    if bounds != Bounds():
        metadata["bounds"] = bounds
    if choices is not None:
        metadata["choices"] = tuple(choices)
    if search is not None:
        metadata["search"] = search
    return field(default=default, metadata=metadata)


def parameters(method: Any) -> tuple[Field[Any], ...]:
    """The parameters of a method or of its class, in order, with type, default and `metadata["doc"]`."""
    return fields(method)


def check_values(method: Any) -> None:
    """Refuse a method's parameters whose values are not what their declarations say.

    Raises:
        ParameterError: with the parameter, its value, and what would be right.
    """
    for each in parameters(method):
        bounds, choices = each.metadata.get("bounds"), each.metadata.get("choices", ())
        check_value(each.name, getattr(method, each.name), each.type, bounds, choices)


def check_value(
    name: str, value: Any, annotation: Any, bounds: Bounds | None = None, choices: Sequence[str] = ()
) -> None:
    """Refuse a value of the wrong type, a number outside of bounds, and a text that is not one of the choices.

    Args:
        name: of the parameter, for the message.
        value: what was given.
        annotation: its type; it is not checked where it is, or holds, a type that is not in `_KINDS`.
        bounds: of a number, and of each of several; None allows every finite number.
        choices: the texts that are allowed; none given, all are.

    Raises:
        ParameterError: with the value and what would be right.
    """
    members = _members(annotation)
    bounds = _with_largest(bounds, members, value)
    typed = all(_kind(member) in _KINDS for member in members)
    wrong_type = typed and not any(_fits(value, member) for member in members)
    if wrong_type or ((typed or bounds) and not all(map((bounds or Bounds()).contain, _numbers(value)))):
        as_one = isinstance(value, str) and any(... in get_args(member) and _kind(member) is str for member in members)
        raise ParameterError(
            f"{name} is {shown(value)}; it must be {_expected(members, value, bounds, choices)}"
            f"{f': ({shown(value)},)' * as_one}"
        )
    if choices and isinstance(value, str) and not any(_is_choice(value, choice) for choice in choices):
        hint = did_you_mean(value, choices)
        must = _expected(members, value, bounds, choices)
        raise ParameterError(f"{name} is {value!r}; it must be {must}{'.' * bool(hint)}{hint}")


def _with_largest(bounds: Bounds | None, members: Sequence[Any], value: Any) -> Bounds | None:
    """The bounds, and LARGEST where a whole number passes it and the parameter states no maximum."""
    stated = bounds or Bounds()
    whole = [int(each) for each in _numbers(value) if isinstance(each, Integral)]
    if int not in map(_kind, members) or all(-LARGEST <= each <= LARGEST for each in whole):
        return bounds
    lowest = -LARGEST if stated.minimum is None and stated.above is None else stated.minimum
    highest = LARGEST if stated.maximum is None and stated.below is None else stated.maximum
    return replace(stated, minimum=lowest, maximum=highest)


def _is_choice(value: str, choice: str) -> bool:
    start, colon, rest = choice.partition(":")
    return value.startswith(start + colon) and len(value) > len(start) + 1 if rest.isupper() else value == choice


_KINDS: dict[Any, tuple[Any, str, str]] = {
    int: (Integral, "a whole number", "whole numbers"),
    float: (Real, "a number", "numbers"),
    str: (str, "a text", "texts"),
    bool: ((bool, np.bool_), "True or False", ""),
    NoneType: (NoneType, "None", ""),
}
"""By type: what is of that type (numbers of NumPy too), what one is called, and what several are called."""


def _members(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in {Union, UnionType} else (annotation,)


def _kind(member: Any) -> Any:
    """The type itself, or of each item of a tuple: int of tuple[int, ...] and of tuple[int, int]."""
    items = set(get_args(member)) - {...}
    return items.pop() if get_origin(member) is tuple and len(items) == 1 else member


def _fits(value: Any, member: Any) -> bool:
    if get_origin(member) is not tuple:
        return isinstance(value, _KINDS[member][0]) and (member is bool or not isinstance(value, bool))
    count = None if ... in get_args(member) else len(get_args(member))
    return (
        isinstance(value, tuple | list | np.ndarray)
        and count in {None, len(value)}
        and all(_fits(item, _kind(member)) for item in value)
    )


def _numbers(value: Any) -> Iterator[Any]:
    """The value if it is a number, or those that it holds."""
    for each in value if isinstance(value, tuple | list) else (value,):
        if isinstance(each, Real) and not isinstance(each, bool):
            yield each


def _expected(members: Sequence[Any], value: Any, bounds: Bounds | None, choices: Sequence[str]) -> str:
    """What would be right, in words."""
    numbers = [_words(each) for each in members if _kind(each) in {int, float}] or ["a number"] * bool(bounds)
    others = [_words(each) for each in members if _kind(each) in {str, bool, NoneType}]
    if choices:
        others = [*choices, *["None"] * (NoneType in members)]
    if not all(map(Bounds().contain, _numbers(value))):
        numbers = [words if "whole" in words else words.replace("number", "finite number") for words in numbers]
    told = [f"{' or '.join(numbers)}, {bounds}"] if numbers and bounds else numbers
    *first, last = [*told, *others]
    return f"{', '.join(first)}{',' * bool(numbers and bounds)} or {last}" if first else last


def _words(member: Any) -> str:
    if get_origin(member) is not tuple:
        return _KINDS[member][1]
    count = "several" if ... in get_args(member) else len(get_args(member))
    return f"{count} {_KINDS[_kind(member)][2]}"
