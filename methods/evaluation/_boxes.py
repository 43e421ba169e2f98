"""Boxes in an image: their overlap, the pointing game, and the threshold at which a map is cut into parts."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = ["Box", "best_iou", "iou", "otsu", "pointing_game"]

Values: TypeAlias = np.ndarray[Any, Any]


class Box(NamedTuple):
    """Columns left <= x < right and rows top <= y < bottom of the image, in pixels."""

    left: int
    top: int
    right: int
    bottom: int


def otsu(values: Values) -> float:
    """The level that parts the positive values into two classes farthest from each other (Otsu, 1979), in 256 bins."""
    counts, edges = np.histogram(values.clip(0), bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below, above = np.cumsum(counts)[:-1], np.cumsum(counts[::-1])[::-1][1:]
    moment = counts * centres
    means = np.cumsum(moment)[:-1] / np.maximum(below, 1), np.cumsum(moment[::-1])[::-1][1:] / np.maximum(above, 1)
    return float(edges[1:-1][np.argmax(below * above * (means[0] - means[1]) ** 2)])


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes: 1 for equal ones, 0 where they do not overlap."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    shared = max(width, 0) * max(height, 0)
    return shared / (_area(a) + _area(b) - shared)


def _area(box: Box) -> int:
    return (box.right - box.left) * (box.bottom - box.top)


def best_iou(boxes: Sequence[Box], right: Sequence[Box]) -> float:
    """The IoU of the first of the boxes with the right one that it overlaps most; 0 where there is no box."""
    return max(iou(boxes[0], each) for each in right) if boxes else 0.0


def pointing_game(values: Values, right: Sequence[Box], tolerance: int) -> float:
    """1 where the largest value of a map (H, W) lies in a box or within `tolerance` pixels of it, else 0."""
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    return float(
        any(
            b.left - tolerance <= x < b.right + tolerance and b.top - tolerance <= y < b.bottom + tolerance
            for b in right
        )
    )
