"""Drawing a parameter's value at random: from a range, a list of choices, or texts with ranges in them."""

import re
from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np

from ..errors import ParameterError
from ..limits.whole_numbers import is_whole_number

__all__ = ["draw_value", "parse_range"]

_NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?"
_RANGE = re.compile(rf"({_NUMBER})\.\.({_NUMBER})")
SPAN = 10.0
"""A range over at least this factor is drawn by its logarithm."""


def draw_value(among: Any, rng: "np.random.Generator") -> Any:
    """One value.

    Args:
        among: (low, high), two numbers; a list to choose from; a list of texts with ranges, each in or out, for a tuple
            of texts; or any of these as text, "0.01..0.1" or "rgb,lucid".
        rng: decides.

    Raises:
        ParameterError: nothing can be drawn from this.

    >>> draw_value((2, 2), np.random.default_rng(0)), draw_value("rgb,rgb", np.random.default_rng(0))
    (2, 'rgb')
    """
    among = parse_range(among) if isinstance(among, str) else among
    if isinstance(among, tuple) and len(among) == 2 and all(_is_number(n) for n in among):
        return _draw_number(*among, rng)
    if not isinstance(among, Sequence) or not among:
        raise ParameterError(f"nothing can be drawn from {among!r}; give (low, high), or a list to choose from")
    if all(isinstance(text, str) and ":" in text for text in among):
        return tuple(_fill_ranges(text, rng) for text in among if rng.random() < 0.5)
    return among[int(rng.integers(len(among)))]


def parse_range(text: str) -> Any:
    """ "0.01..0.1" as (0.01, 0.1), "3..5" as (3, 5), "a,b" as ["a", "b"], "0.1,0.2" as [0.1, 0.2]."""
    whole = _RANGE.fullmatch(text)
    if whole:
        return _number(whole[1]), _number(whole[2])
    parts = text.split(",")
    numbers = all(re.fullmatch(_NUMBER, part) for part in parts)
    return [_number(part) for part in parts] if numbers else parts


def _number(text: str) -> int | float:
    return int(text) if is_whole_number(text) else float(text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _draw_number(low: float, high: float, rng: "np.random.Generator") -> int | float:
    """Whole where both ends are; four digits, so that what is written on a sheet gives the same picture again."""
    if not low <= high:
        raise ParameterError(f"a range from {low} to {high} is empty; the least comes first")
    if isinstance(low, int) and isinstance(high, int):
        return int(rng.integers(low, high + 1))
    by_logarithm = low > 0 and high / low >= SPAN
    value = np.exp(rng.uniform(log(low), log(high))) if by_logarithm else rng.uniform(low, high)
    return float(f"{value:.4g}")


def _fill_ranges(text: str, rng: "np.random.Generator") -> str:
    """A text with each range replaced by a number from it."""
    return _RANGE.sub(lambda match: f"{_draw_number(_number(match[1]), _number(match[2]), rng):g}", text)
