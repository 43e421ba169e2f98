"""In which unit an array's values are, for a network whose images lie within bounds, and what converts them."""

from dataclasses import dataclass, replace
from math import ceil, floor, isfinite
from typing import Literal

from ..arrays import Array, namespace
from ..errors import ImageError

__all__ = ["WHITE", "Bounds", "Unit", "interval", "type_name", "unit_of"]

Bounds = tuple[float, float] | None
WHITE = {"bool": 1, "uint8": 255, "uint16": 65535}
"""The value that is white, by data type."""


@dataclass(frozen=True)
class Unit:
    """What becomes of the values: they are right, the type alone says what to do, or a person must say."""

    kind: Literal["right", "by_type", "by_hand", "unknown"]
    words: str = ""
    code: str = "{}"
    """Python with a place for the array; of "unknown" unused."""
    reach: str = ""
    """The values in words, where they are what is wrong."""


def type_name(x: Array) -> str:
    """The name of the data type without that of its library: "uint8"."""
    return str(getattr(x.dtype, "name", x.dtype)).rpartition(".")[2]


def interval(bounds: tuple[float, float]) -> str:
    """Bounds as text: "[0, 255]"."""
    return f"[{bounds[0]:g}, {bounds[1]:g}]"


def unit_of(x: Array, bounds: Bounds, *, strict: bool) -> Unit:
    """The unit of an array's values.

    Whole numbers of 8 and 16 bits are shares of the largest one of their type, and truth values black and white, unless
    their values say otherwise: 16 bits that hold no more than 255, or 8 bits that hold only 0 and 1.

    Args:
        x: the array, of any shape and data type, with at least one value.
        bounds: of the network's images; None where it takes no images.
        strict: whether fractions must lie in the bounds, not merely near them.

    Raises:
        ImageError: a value is NaN or infinite.
    """
    name = type_name(x)
    if "complex" in name or not any(kind in name for kind in ("float", "int", "bool")):
        return Unit("unknown", "give real numbers")
    low, high = (0.0, 1.0) if name == "bool" else _extremes(x)
    if not isfinite(low) or not isfinite(high):
        raise ImageError("images hold NaN or infinite values; every value must be finite")
    white = WHITE.get(name)
    if bounds is None:
        return Unit("right")
    if white is not None and not (white == 255 and high == 1) and not (white > 255 >= high > 0):
        return _share_of(white, bounds, "by_type")
    if "float" not in name:
        return _unit_of_whole_numbers(low, high, bounds)
    if strict and bounds[0] >= 0 and bounds[1] >= 100 and 0 < high <= 1 and _has_fractions(x):
        return Unit("by_hand", f"multiply by {bounds[1]:g}", f"{{}} * {bounds[1]:g}", _reach(low, high))
    return _unit_of_fractions(low, high, bounds, strict=strict)


def _extremes(x: Array) -> tuple[float, float]:
    xp = namespace(x)
    whole = "uint16" in type_name(x) or "uint32" in type_name(x) or "uint64" in type_name(x)
    x = xp.astype(x, xp.float64) if whole else x  # torch has no least uint16
    return float(xp.min(x)), float(xp.max(x))


def _has_fractions(x: Array) -> bool:
    xp = namespace(x)
    return bool(xp.any(x != xp.round(x)))


def _is_within(low: float, high: float, bounds: tuple[float, float], *, strict: bool) -> bool:
    """Whether values from `low` to `high` lie in the bounds, or, if not `strict`, near enough for noise."""
    slack = (1e-3 if strict else 8.0) * (bounds[1] - bounds[0])
    return bounds[0] - slack <= low and high <= bounds[1] + slack


def _reach(low: float, high: float) -> str:
    return f", values from {low:.4g} to {high:.4g}"


def _unit_of_fractions(low: float, high: float, bounds: tuple[float, float], *, strict: bool) -> Unit:
    size = bounds[1] - bounds[0]
    if _is_within(low, high, bounds, strict=strict):
        return Unit("right")
    if _is_within(low, high, (bounds[0] - size / 4, bounds[1] + size / 4), strict=True):
        clipped = f"{{}}.clip({bounds[0]:g}, {bounds[1]:g})"
        return Unit("by_hand", f"clip to {interval(bounds)}", clipped, _reach(low, high))
    if high > bounds[0] + 8 * size and low >= 0:
        return _unit_of_whole_numbers(low, high, bounds)
    advice = f"give pixels in {interval(bounds)}"
    if low < bounds[0]:
        whole = f"preprocess=None, bounds=({floor(low)}, {ceil(high)})"
        advice = f"undo the normalisation (the model does its own): {advice}; to give it normalised, wrap(..., {whole})"
    return Unit("unknown", advice, reach=_reach(low, high))


def _unit_of_whole_numbers(low: float, high: float, bounds: tuple[float, float]) -> Unit:
    """Of a type that does not say what white is: the least of the usual ones that none passes."""
    whites = [white for white in (1, 255, 65535) if low >= 0 and high <= white]
    if not whites:
        return Unit("unknown", f"give pixels in {interval(bounds)}", reach=_reach(low, high))
    return replace(_share_of(whites[0], bounds, "by_hand"), reach=_reach(low, high))


def _share_of(white: int, bounds: tuple[float, float], kind: Literal["by_type", "by_hand"]) -> Unit:
    """Values from 0 to `white` become ones from the lower bound to the upper."""
    low, high = bounds
    if (low, high) == (0, white):
        return Unit(kind)
    words, code = ([f"divide by {white}"], f"{{}} / {white}") if white != 1 else ([], "{}")
    if (low, high) != (0, 1):
        words.append(f"scale to {interval(bounds)}")
        code += f" * {high - low:g}" + (f" + {low:g}" if low > 0 else f" - {-low:g}" if low < 0 else "")
    return Unit(kind, ", ".join(words), code)
