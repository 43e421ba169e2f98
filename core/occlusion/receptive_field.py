"""What a change inside a box can change behind it: one rectangle of a map for each of many positions, in numbers.

An occluder leaves most of an image as it was, and so most of each map behind it. Run the image once and keep the maps;
then, for each position of the occluder, only a rectangle of each map has to be computed again, from a slightly larger
crop of the kept map with the changed rectangle pasted in (Nakandala, Kumar and Papakonstantinou 2019, "Incremental and
Approximate Inference for Faster Occlusion-based Deep CNN Explanations", https://doi.org/10.1145/3299869.3319874,
sections 3 and 4). Rectangles of one batch share a size, so that they run together; where that makes one larger than it
must be, it is moved into the map, and what is computed again comes out as it was.

Everything here is per axis, exact, and knows no framework.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from array_api_compat import device

from ..arrays import Array, namespace

__all__ = [
    "POINTWISE",
    "Alone",
    "Maps",
    "Rect",
    "Sliding",
    "Span",
    "changed",
    "covered",
    "enclosing",
    "needed",
    "rect_behind",
    "rects_of",
]

Ints = np.ndarray[Any, np.dtype[np.int64]]


class Span(NamedTuple):
    """Along one axis, a run of equal length for each position: `starts` (P,), `size` places each."""

    starts: Ints
    size: int

    @property
    def stops(self) -> Ints:
        """One past the last, (P,)."""
        return self.starts + self.size


class Rect(NamedTuple):
    """One rectangle of a map for each position."""

    rows: Span
    columns: Span

    @property
    def area(self) -> int:
        """Places in each."""
        return self.rows.size * self.columns.size


class Sliding(NamedTuple):
    """Windows along one axis: output o reads the places o * stride - before ... o * stride - before + reach."""

    reach: int = 0
    stride: int = 1
    before: int = 0


POINTWISE = (Sliding(), Sliding())
"""Each output reads the place where it stands; for rows and columns."""


def enclosing(starts: Ints, stops: Ints, length: int) -> Span:
    """The shortest common size that holds each run [start, stop), every run moved inside an axis of `length` places."""
    starts, stops = np.clip(starts, 0, length), np.clip(stops, 0, length)
    size = max(int((stops - starts).max()), 1)
    return Span(np.minimum(starts, length - size), size)


def changed(span: Span, sliding: Sliding, outputs: int) -> Span:
    """Which of `outputs` places can change where the places of `span` do; at least one, for it does no harm."""
    first = -((sliding.reach - sliding.before - span.starts) // sliding.stride)
    last = (span.stops - 1 + sliding.before) // sliding.stride
    return enclosing(first, last + 1, outputs)


def needed(span: Span, sliding: Sliding) -> Span:
    """The places that the outputs of `span` read; they may hang over the map, into its padding."""
    return Span(span.starts * sliding.stride - sliding.before, (span.size - 1) * sliding.stride + sliding.reach + 1)


def rects_of(boxes: Ints, size: tuple[int, int]) -> Rect:
    """Boxes (P, 4) of top, bottom, left, right, the ends excluded, as rectangles of a map of this size."""
    top, bottom, left, right = boxes.T
    return Rect(enclosing(top, bottom, size[0]), enclosing(left, right, size[1]))


def united(spans: Iterable[Span], length: int) -> Span:
    """The shortest runs that hold all of these, position by position."""
    spans = list(spans)
    starts, stops = np.min([s.starts for s in spans], axis=0), np.max([s.stops for s in spans], axis=0)
    return enclosing(starts, stops, length)


def rect_behind(reads: Sequence[tuple[Rect, tuple[Sliding, Sliding]]], size: tuple[int, int]) -> Rect:
    """The rectangle of a map of this size that changes where the maps that it reads change in these."""
    rows = united((changed(rect.rows, sliding[0], size[0]) for rect, sliding in reads), size[0])
    columns = united((changed(rect.columns, sliding[1], size[1]) for rect, sliding in reads), size[1])
    return Rect(rows, columns)


class Alone(NamedTuple):
    """Rectangles in a number of maps, for each position as small as it can be alone; the last axis: rows, columns."""

    starts: Ints
    """(P, maps, 2)"""
    sizes: Ints
    """(P, maps, 2)"""
    lengths: Ints
    """Of the maps, (maps, 2)."""

    def together(self, which: Any) -> list[Rect]:
        """Those of some positions, in each map of one size, moved inside it where they would hang over."""
        sizes = self.sizes[which].max(axis=0)
        starts = np.minimum(self.starts[which], self.lengths - sizes)
        return [
            Rect(Span(starts[:, place, 0], int(height)), Span(starts[:, place, 1], int(width)))
            for place, (height, width) in enumerate(sizes)
        ]


@dataclass(frozen=True)
class Maps:
    """A map as it is without any change, and for each position the rectangle of it that changed.

    `kept` is (1, C, H, W) and `patches` (P, C, h, w); with `axis` 1, (1, H, W, C) and (P, h, w, C).
    """

    kept: Array
    patches: Array
    rect: Rect
    axis: int = 2

    @property
    def size(self) -> tuple[int, int]:
        """(H, W)"""
        height, width = self.kept.shape[self.axis : self.axis + 2]
        return int(height), int(width)

    def crop(self, where: Rect, fill: float = 0.0) -> Array:
        """The changed map at these places, (P, C, rows, columns), to be read only; `fill` where they hang over it."""
        if _equal(where.rows, self.rect.rows) and _equal(where.columns, self.rect.columns):
            return self.patches
        made = _empty(self.kept, (len(where.rows.starts), *self._sized(where)))
        if any(_hangs_over(span, n) for span, n in zip(where, self.size, strict=True)):
            made[...] = fill
        before = (slice(None),) * (self.axis - 1)
        for p, (of_kept, of_patch) in enumerate(zip(self._laid_kept(where), self._laid_patches(where), strict=True)):
            if of_kept.on != of_patch.on:  # else the patch hides all that was kept
                made[(p, *before, *of_kept.on)] = self.kept[(0, *before, *of_kept.of)]
            made[(p, *before, *of_patch.on)] = self.patches[(p, *before, *of_patch.of)]
        return made

    def _laid_kept(self, where: Rect) -> list["_Laid"]:
        zeros = [0] * len(where.rows.starts)
        rows, columns = (_overlaps(span, zeros, n) for span, n in zip(where, self.size, strict=True))
        return list(map(_laid, rows, columns))

    def _laid_patches(self, where: Rect) -> list["_Laid"]:
        each = zip(where, self.rect, strict=True)
        rows, columns = (_overlaps(span, of.starts.tolist(), of.size) for span, of in each)
        return list(map(_laid, rows, columns))

    def whole(self) -> Array:
        """The changed maps, (P, C, H, W), to be read only."""
        zeros = np.zeros(len(self.rect.rows.starts), np.int64)
        return self.crop(Rect(Span(zeros, self.size[0]), Span(zeros, self.size[1])))

    def _sized(self, where: Rect) -> tuple[int, ...]:
        shape = list(self.kept.shape[1:])
        shape[self.axis - 1 : self.axis + 1] = [where.rows.size, where.columns.size]
        return tuple(shape)


def covered(x: Array, cover: Array, boxes: Ints, rect: Rect) -> Maps:
    """The image with its boxes covered: what lies in a box is `cover`'s, even where the rectangle is larger."""
    xp = namespace(x)
    patches = []
    for p, (top, bottom, left, right) in enumerate(boxes.tolist()):
        y, x0 = int(rect.rows.starts[p]), int(rect.columns.starts[p])
        one = xp.asarray(x[0, :, y : y + rect.rows.size, x0 : x0 + rect.columns.size], copy=True)
        one[:, top - y : bottom - y, left - x0 : right - x0] = cover[0, :, top:bottom, left:right]
        patches.append(one)
    return Maps(x, xp.stack(patches), rect)


class _Laid(NamedTuple):
    """Where a piece lies on a canvas: rows and columns of the canvas, and which of the piece."""

    on: tuple[slice, slice]
    of: tuple[slice, slice]


def _laid(rows: tuple[slice, slice], columns: tuple[slice, slice]) -> _Laid:
    return _Laid((rows[0], columns[0]), (rows[1], columns[1]))


def _overlaps(canvas: Span, corners: Sequence[int], size: int) -> list[tuple[slice, slice]]:
    """Along one axis, for each position: which places of the canvas a piece covers, and with which of its own."""
    found = []
    for at, corner in zip(canvas.starts.tolist(), corners, strict=True):
        start = max(at, corner)
        stop = max(min(at + canvas.size, corner + size), start)
        found.append((slice(start - at, stop - at), slice(start - corner, stop - corner)))
    return found


def _equal(a: Span, b: Span) -> bool:
    return a.size == b.size and bool((a.starts == b.starts).all())


def _hangs_over(span: Span, length: int) -> bool:
    return bool(span.starts.min() < 0 or span.stops.max() > length)


def _empty(like: Array, shape: tuple[int, ...]) -> Array:
    if isinstance(like, np.ndarray):
        return np.empty_like(like, shape=shape)  # its axes in memory too
    return namespace(like).empty(shape, dtype=like.dtype, device=device(like))
