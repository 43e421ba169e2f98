"""Masks as COCO writes them: polygons and run lengths (https://cocodataset.org/#format-data)."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ....errors import ImageError
from .label_maps import Numbers, Size

__all__ = ["Segmentation", "filled_polygons", "from_run_lengths", "mask_of", "parse_segmentation", "run_lengths"]

Segmentation = tuple[Numbers, ...] | Numbers
"""Polygons (n, 2) of x and y, or run lengths (n,)."""


def parse_segmentation(value: Any, size: Size, what: str) -> Segmentation:
    """What an annotation holds as "segmentation".

    Args:
        value: polygons [[x, y, x, y, ...], ...], or {"size": [H, W], "counts": run lengths as numbers or text}.
        size: (H, W) of the picture.
        what: the annotation, for errors.

    Raises:
        ImageError: it is none of these.
    """
    try:
        if isinstance(value, dict):
            held = tuple(int(n) for n in value["size"])
            if held != size:
                raise ImageError(
                    f"{what} has a mask of {held[1]} x {held[0]} pixels, its picture {size[1]} x {size[0]}"
                )
            counts = value["counts"]
            lengths = run_lengths(counts) if isinstance(counts, str) else np.array(counts, np.int64)
            if lengths.ndim != 1 or (lengths < 0).any() or lengths.sum() != size[0] * size[1]:
                raise ImageError(f"{what} has run lengths of {lengths.sum()} pixels, its picture {size[0] * size[1]}")
            return lengths
        polygons = tuple(np.array(each, np.float64).reshape(-1, 2) for each in value)
        if any(len(each) < 3 or not np.isfinite(each).all() for each in polygons):
            raise ImageError(f"{what} has a polygon of fewer than three corners, or with NaN")
        return polygons
    except (KeyError, TypeError, ValueError, OverflowError, IndexError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(
            f'{what} has a segmentation that is neither polygons [[x, y, x, y, ...]] nor {{"size": [H, W], "counts": '
            "[...]}"
        ) from error


def mask_of(segmentation: Segmentation, size: Size) -> Numbers:
    """The pixels (H, W) of a segmentation, truth values."""
    if isinstance(segmentation, tuple):
        return filled_polygons(segmentation, size)
    return from_run_lengths(segmentation, size)


def from_run_lengths(lengths: Numbers, size: Size) -> Numbers:
    """The mask (H, W) of runs that go down the columns, the first one outside."""
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(size[::-1]).T


def run_lengths(text: str) -> Numbers:
    """Run lengths (n,) of COCO's compressed text.

    Each number is written five bits a character, the lowest first, as the code of the character less 48; bit 6 says
    that another one follows, and bit 5 of the last one is the sign. From the fourth number on it is the difference from
    the number two before.

    >>> run_lengths("0d?").tolist()
    [0, 500]

    Raises:
        ValueError: a character that is not used, or an end within a number.
    """
    numbers: list[int] = []
    value = shift = 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise ValueError(f"the character {letter!r} in run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if shift > 65:
            raise ValueError("a number of more than 64 bits in run lengths")
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        numbers.append(value + numbers[-2] if len(numbers) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("run lengths end within a number")
    return np.array(numbers, np.int64)


def filled_polygons(polygons: Iterable[Numbers], size: Size) -> Numbers:
    """The pixels (H, W) whose centres lie in any of the polygons, truth values.

    Of one that crosses itself these are the points from which a ray crosses its border an odd number of times.

    Args:
        polygons: corners (n, 2), x and y in pixels; the first pixel's centre is (0.5, 0.5).
        size: (H, W).
    """
    filled = np.zeros(size, bool)
    for corners in polygons:
        filled |= _filled(corners, size)
    return filled


def _filled(corners: Numbers, size: Size) -> Numbers:
    """Each row's crossings with the border toggle all pixels from there on."""
    height, width = size
    toggles = np.zeros((height, width + 1), np.int32)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        low, high = sorted((y0, y1))
        first, last = (int(np.clip(np.ceil(y - 0.5), 0, height)) for y in (low, high))
        rows = np.arange(first, last)
        if not len(rows):
            continue
        crossing = x0 + (rows + 0.5 - y0) * (x1 - x0) / (y1 - y0)
        toggles[rows, np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)] += 1
    return np.asarray(toggles.cumsum(axis=1)[:, :width] % 2 == 1)
