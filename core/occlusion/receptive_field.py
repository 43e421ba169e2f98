"""Receptive-field arithmetic: which outputs of a layer a changed box of inputs can reach, and which inputs they read.

An occluder leaves most of an image as it was, and so most of each feature map. Run the image once and keep the maps;
then, for each position of the occluder, only a rectangle of each map has to be computed again, from a slightly larger
crop of the kept map with the changed rectangle pasted in (Nakandala, Kumar and Papakonstantinou 2019, "Incremental and
Approximate Inference for Faster Occlusion-based Deep CNN Explanations", https://doi.org/10.1145/3299869.3319874,
sections 3 and 4). The rectangles of one batch share a size, so that they run together. A rectangle that is enlarged to
that size is moved inside its map; the outputs that no change can reach come out as they were.

Everything here is exact and per axis, on integers.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "POINTWISE",
    "Intervals",
    "Rectangles",
    "SeparateRectangles",
    "SlidingWindow",
    "affected_outputs",
    "affected_rectangles",
    "box_rectangles",
    "enclosing_intervals",
    "receptive_field",
]

Ints = np.ndarray[Any, np.dtype[np.int64]]


class Intervals(NamedTuple):
    """One interval of positions along an axis for each box, all of one size."""

    starts: Ints
    """(P,)"""
    size: int

    @property
    def stops(self) -> Ints:
        """One past the last position of each, (P,)."""
        return self.starts + self.size


class Rectangles(NamedTuple):
    """One rectangle of a map for each box, all of one size."""

    rows: Intervals
    columns: Intervals


class SlidingWindow(NamedTuple):
    """A convolution's or pooling's window along one axis.

    Output o reads the inputs o * stride - padding to o * stride - padding + kernel_size - 1.
    """

    kernel_size: int = 1
    """Dilation included: dilation * (k - 1) + 1 for k taps."""
    stride: int = 1
    padding: int = 0
    """Before the first input; what is after the last one follows from the number of outputs."""


POINTWISE = (SlidingWindow(), SlidingWindow())
"""Rows and columns of an operator whose outputs each read the input at their own position."""


def enclosing_intervals(starts: Ints, stops: Ints, length: int) -> Intervals:
    """Intervals of the smallest common size that contain each [start, stop), moved inside an axis of `length`."""
    starts, stops = np.clip(starts, 0, length), np.clip(stops, 0, length)
    size = max(int((stops - starts).max()), 1)
    return Intervals(np.minimum(starts, length - size), size)


def affected_outputs(inputs: Intervals, window: SlidingWindow, outputs: int) -> Intervals:
    """Which of `outputs` positions can change where the inputs do; at least one, even where none can."""
    first = -((window.kernel_size - 1 - window.padding - inputs.starts) // window.stride)
    last = (inputs.stops - 1 + window.padding) // window.stride
    return enclosing_intervals(first, last + 1, outputs)


def receptive_field(outputs: Intervals, window: SlidingWindow) -> Intervals:
    """The inputs that these outputs read; they may reach beyond the map, into its padding."""
    starts = outputs.starts * window.stride - window.padding
    return Intervals(starts, (outputs.size - 1) * window.stride + window.kernel_size)


def box_rectangles(boxes: Ints, size: tuple[int, int]) -> Rectangles:
    """Boxes (P, 4) of top, bottom, left, right, the ends excluded, as rectangles of a map of this size."""
    top, bottom, left, right = boxes.T
    return Rectangles(enclosing_intervals(top, bottom, size[0]), enclosing_intervals(left, right, size[1]))


def union(intervals: Iterable[Intervals], length: int) -> Intervals:
    """The smallest intervals that contain all of these, box by box."""
    intervals = list(intervals)
    starts, stops = np.min([i.starts for i in intervals], axis=0), np.max([i.stops for i in intervals], axis=0)
    return enclosing_intervals(starts, stops, length)


def affected_rectangles(
    inputs: Sequence[tuple[Rectangles, tuple[SlidingWindow, SlidingWindow]]], size: tuple[int, int]
) -> Rectangles:
    """The rectangles of a map of `size` that can change where the maps that it is computed from do.

    Args:
        inputs: of each map that is read, the rectangles that change and the windows over its rows and columns.
        size: (H, W) of the map that is computed.
    """
    rows = union((affected_outputs(r.rows, windows[0], size[0]) for r, windows in inputs), size[0])
    columns = union((affected_outputs(r.columns, windows[1], size[1]) for r, windows in inputs), size[1])
    return Rectangles(rows, columns)


class SeparateRectangles(NamedTuple):
    """Rectangles in a number of maps, each box's as small as it is when the box is alone; last axis: rows, columns."""

    starts: Ints
    """(P, maps, 2)"""
    sizes: Ints
    """(P, maps, 2)"""
    lengths: Ints
    """(H, W) of each map, (maps, 2)."""

    def with_common_size(self, positions: Any) -> list[Rectangles]:
        """The rectangles of some boxes, of one size in each map, moved where they would reach beyond it."""
        sizes = self.sizes[positions].max(axis=0)
        starts = np.minimum(self.starts[positions], self.lengths - sizes)
        return [
            Rectangles(Intervals(starts[:, i, 0], int(height)), Intervals(starts[:, i, 1], int(width)))
            for i, (height, width) in enumerate(sizes)
        ]
