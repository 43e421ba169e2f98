"""Where the windows of an occlusion lie, every few pixels or centred at each place, and what is seen behind them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import ceil
from numbers import Integral
from typing import TypeAlias

from crosslens.arrays import Array, namespace
from crosslens.errors import ParameterError
from crosslens.execution.batching import batch_limit, slices
from crosslens.method.target_function import TargetFunction
from crosslens.model import INPUT
from crosslens.occlusion import occluded

__all__ = ["SHARE", "Found", "Sides", "Window", "behind_windows", "centred", "covering", "sides"]

Found: TypeAlias = Iterator[tuple[Sequence[int], Mapping[str, Array]]]
"""Positions in the list of windows, with the activations that the targets read there."""

Sides: TypeAlias = int | tuple[int, ...] | None
"""One number for all sides, (height, width), or None for what suits the size of the image; (depth, ...) of volumes."""
SHARE = 7
"""A window's side is this part of the image's shorter side: 32 pixels of 224, 4 of 28."""


Window: TypeAlias = tuple[slice, ...]
"""The rows and columns that are covered; of a volume its slices first."""


def sides(name: str, given: Sides, default: tuple[int, ...], most: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """(height, width) of a parameter; (depth, height, width) of volumes.

    Args:
        name: the parameter, for the message.
        given: what was asked for.
        default: what None means, a number for each axis.
        most: the largest that each may be; one number for both may be as large as the larger of them.

    Raises:
        ParameterError: no whole numbers of at least 1, or larger.
    """
    each = default if given is None else tuple(given) if isinstance(given, Sequence) else (given,) * len(default)
    if (
        isinstance(given, str)
        or len(each) != len(default)
        or any(isinstance(n, bool) or not isinstance(n, Integral) for n in each)
    ):
        several = "two: (height, width)" if len(default) == 2 else "three: (depth, height, width)"
        raise ParameterError(f"{name} is {given!r}; it must be a whole number, or {several}")
    found = tuple(int(n) for n in each)
    limits = found if most is None else most if isinstance(given, Sequence) else (max(most),) * len(default)
    if min(found) < 1 or any(n > limit for n, limit in zip(found, limits, strict=True)):
        upper = "" if most is None else f" and at most {limits[0]}, the longer side"
        if isinstance(given, Sequence) and most:
            deep = f" {limits[0]} deep," * (len(limits) == 3)
            upper = f" and at most{deep} {limits[-2]} high and {limits[-1]} wide"
        raise ParameterError(f"{name} is {given}; it must be at least 1 pixel{upper}")
    return found


def covering(size: Sequence[int], window: Sequence[int], stride: Sequence[int], cut: bool) -> list[Window]:
    """Windows from the upper left, row by row; those that reach beyond the border cut off, or left out."""
    return list(product(*(_spans(*each, cut) for each in zip(size, window, stride, strict=True))))


def centred(size: Sequence[int], window: Sequence[int], stride: Sequence[int]) -> tuple[list[Window], list[int]]:
    """A window centred at each place of a grid of about `stride`, cut off at the border; the grid's (rows, columns).

    The grid divides the image evenly, so that its map fits the image pixel by pixel when it is enlarged.
    """
    count = [max(round(n / step), 1) for n, step in zip(size, stride, strict=True)]
    return list(product(*(_around(*each) for each in zip(size, window, count, strict=True)))), count


def _spans(length: int, window: int, stride: int, cut: bool) -> list[slice]:
    """As few as reach every pixel where the stride allows it, the last one cut off; or those that lie inside."""
    last = min(max(ceil((length - window) / stride), 0) * stride, length - 1) if cut else length - window
    return [slice(start, min(start + window, length)) for start in range(0, last + 1, stride)]


def _around(length: int, window: int, count: int) -> list[slice]:
    centres = ((place + 0.5) * length / count for place in range(count))
    starts = (int(centre - window / 2 + 0.5 + length) - length for centre in centres)  # rounded, also below 0
    return [slice(max(start, 0), min(start + window, length)) for start in starts]


def behind_windows(
    function: TargetFunction, windows: Sequence[Window], cover: Array, layers: Sequence[str]
) -> tuple[str, Found]:
    """What layers give with each window showing `cover`, (1, C, H, W), and how it is computed.

    At the image a network may compute only what the windows can change.
    """
    if function.layer != INPUT:
        return f"the network from {function.layer} on", _covered(function, windows, cover, layers)
    boxes = [[end for side in window for end in (side.start, side.stop)] for window in windows]
    found = occluded(function.model, function.image, cover, boxes, layers)
    return found.strategy, found


def _covered(function: TargetFunction, windows: Sequence[Window], cover: Array, layers: Sequence[str]) -> Found:
    for start, stop in slices(len(windows), batch_limit(function.model)):
        variants = namespace(cover).concat([function.activation] * (stop - start), axis=0)
        for row, window in enumerate(windows[start:stop]):
            variants[(row, slice(None), *window)] = cover[(0, slice(None), *window)]
        yield range(start, stop), function.activations(variants, layers)
