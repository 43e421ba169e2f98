"""Occlusion windows, by a stride or centred on a grid, and what a network computes with each of them covered."""

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

__all__ = [
    "SHARE",
    "CoveredActivations",
    "OcclusionWindow",
    "Sides",
    "centred_windows",
    "covered_activations",
    "window_sides",
    "windows_by_stride",
]

CoveredActivations: TypeAlias = Iterator[tuple[Sequence[int], Mapping[str, Array]]]
"""Indices of windows, with the activations that the targets read where these are covered."""

Sides: TypeAlias = int | tuple[int, ...] | None
"""One number for all sides, (height, width), or None for what suits the size of the image; (depth, ...) of volumes."""
SHARE = 7
"""A window's side is this part of the image's shorter side: 32 pixels of 224, 4 of 28."""


OcclusionWindow: TypeAlias = tuple[slice, ...]
"""The rows and columns that are covered; of a volume its slices first."""


def window_sides(
    name: str, value: Sides, default: tuple[int, ...], most: tuple[int, ...] | None = None
) -> tuple[int, ...]:
    """(height, width) of a parameter; (depth, height, width) of volumes.

    Args:
        name: the parameter, for the message.
        value: of the parameter; whole numbers of at least 1.
        default: what None means, a number for each axis.
        most: the largest that each may be; one number for both may be as large as the larger of them.

    Raises:
        ParameterError: not as many numbers as there are axes, or one that is larger.
    """
    several = isinstance(value, Sequence)
    numbers = default if value is None else tuple(value) if isinstance(value, Sequence) else (value,) * len(default)
    if isinstance(value, str) or len(numbers) != len(default) or not all(isinstance(n, Integral) for n in numbers):
        sequence = "two: (height, width)" if len(default) == 2 else "three: (depth, height, width)"
        raise ParameterError(f"{name} is {value!r}; it must be a whole number, or {sequence}")
    sides = tuple(int(n) for n in numbers)
    limits = sides if most is None else most if several else (max(most),) * len(default)
    if any(n > limit for n, limit in zip(sides, limits, strict=True)):
        deep = f"{limits[0]} deep, " * (len(limits) == 3)
        upper = f"{deep}{limits[-2]} high and {limits[-1]} wide" if several else f"{limits[0]}, the longer side"
        raise ParameterError(f"{name} is {value}; it must be at most {upper}")
    return sides


def windows_by_stride(
    size: Sequence[int], window: Sequence[int], stride: Sequence[int], cut: bool
) -> list[OcclusionWindow]:
    """Windows from the upper left, row by row.

    Args:
        size: (H, W), or (D, H, W).
        window: its sides.
        stride: from window to window, along each axis.
        cut: whether windows that reach beyond the border are cut off; else they are left out.
    """
    return list(product(*(_spans(*each, cut) for each in zip(size, window, stride, strict=True))))


def centred_windows(
    size: Sequence[int], window: Sequence[int], stride: Sequence[int]
) -> tuple[list[OcclusionWindow], list[int]]:
    """A window centred at each point of a grid of about `stride`, cut off at the border; the grid's (rows, columns).

    The grid divides the image evenly, so that its map fits the image pixel by pixel when it is enlarged.
    """
    count = [max(round(n / step), 1) for n, step in zip(size, stride, strict=True)]
    return list(product(*(_around(*each) for each in zip(size, window, count, strict=True)))), count


def _spans(length: int, window: int, stride: int, cut: bool) -> list[slice]:
    """As few as reach every pixel where the stride allows it, the last one cut off; or those that lie inside."""
    last = min(max(ceil((length - window) / stride), 0) * stride, length - 1) if cut else length - window
    return [slice(start, min(start + window, length)) for start in range(0, last + 1, stride)]


def _around(length: int, window: int, count: int) -> list[slice]:
    centres = ((index + 0.5) * length / count for index in range(count))
    starts = (int(centre - window / 2 + 0.5 + length) - length for centre in centres)  # rounded, also below 0
    return [slice(max(start, 0), min(start + window, length)) for start in starts]


def covered_activations(
    function: TargetFunction, windows: Sequence[OcclusionWindow], cover: Array, layers: Sequence[str]
) -> tuple[str, CoveredActivations]:
    """How the activations with each window covered are computed, and these activations, batch by batch.

    Args:
        function: of one image; at the image itself a network may compute only what the windows can change.
        windows: what is covered, one at a time.
        cover: what is shown there, (1, C, H, W) or a layer's maps.
        layers: whose activations are wanted.
    """
    if function.layer != INPUT:
        return f"the network from {function.layer} on", _from_layer_on(function, windows, cover, layers)
    boxes = [[end for side in window for end in (side.start, side.stop)] for window in windows]
    activations = occluded(function.model, function.image, cover, boxes, layers)
    return activations.strategy, activations


def _from_layer_on(
    function: TargetFunction, windows: Sequence[OcclusionWindow], cover: Array, layers: Sequence[str]
) -> CoveredActivations:
    for start, stop in slices(len(windows), batch_limit(function.model)):
        variants = namespace(cover).concat([function.activation] * (stop - start), axis=0)
        for row, window in enumerate(windows[start:stop]):
            variants[(row, slice(None), *window)] = cover[(0, slice(None), *window)]
        yield range(start, stop), function.activations(variants, layers)
