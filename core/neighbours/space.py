"""`Space`: rows of features among which distances are measured, in float64, without a copy of them all."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["COSINE", "EUCLID", "METRICS", "Space", "squared_distances"]

Numbers = np.ndarray[Any, Any]
COSINE, EUCLID = "cosine", "euclid"
METRICS = (COSINE, EUCLID)
AT_ONCE = 1 << 20
"""Numbers that are converted to float64 at once: 8 MiB."""


@dataclass(frozen=True, eq=False)
class Space:
    """Rows, and the metric. Its points are numbered from 0 in the order of `index`.

    The cosine distance 1 - cos is half the squared distance of rows of length 1. Rows of zeros, which have no
    direction, have a coordinate of their own there: distance 0 to each other and 1 to the rest.
    """

    rows: Numbers
    """(N, width), float32, perhaps a file on the disk."""
    index: Numbers
    """(n,): which of the rows are points."""
    metric: str

    def __len__(self) -> int:
        return len(self.index)

    @property
    def width(self) -> int:
        """Coordinates of a point."""
        return int(self.rows.shape[1]) + (self.metric == COSINE)

    def raw(self, which: Any) -> Numbers:
        """(m, width), float64: the rows of some points."""
        return np.array(self.rows[self.index[which]], np.float64)

    def parts(self) -> Iterator[slice]:
        """All points, a few at a time."""
        step = max(1, AT_ONCE // self.width)
        return (slice(start, min(start + step, len(self))) for start in range(0, len(self), step))

    @cached_property
    def lengths(self) -> Numbers:
        """(n,), float64: of the rows as they are."""
        return np.concatenate([np.sqrt((self.raw(part) ** 2).sum(axis=1)) for part in self.parts()])

    def directions(self, which: Any) -> Numbers:
        """(m, width of a row), float64: rows as they are, or for the cosine made of length 1, zeros as they are."""
        raw = self.raw(which)
        if self.metric == COSINE:
            lengths = self.lengths[which]
            raw /= np.where(lengths == 0, 1, lengths)[:, None]
        return raw

    def points(self, which: Any) -> Numbers:
        """(m, width), float64: the points themselves, with the coordinate of rows of zeros."""
        directions = self.directions(which)
        if self.metric == EUCLID:
            return directions
        return np.concatenate([directions, self.lengths[which][:, None] == 0], axis=1)

    def numbers_in_groups(self) -> Numbers:
        """(n,): how many points with the very same row stand before each; 0 where none is known to."""
        weights = np.random.default_rng(0).uniform(1, 2, self.rows.shape[1])
        keys = np.concatenate([(self.raw(part) * weights).sum(axis=1) for part in self.parts()])
        order = np.argsort(keys, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], np.diff(keys[order]) != 0]))
        first = np.repeat(starts, np.diff([*starts.tolist(), len(order)]))
        number, leader = np.empty(len(self), np.int64), np.empty(len(self), np.int64)
        number[order], leader[order] = np.arange(len(order)) - first, order[first]
        for part in self.parts():
            same = (self.rows[self.index[part]] == self.rows[self.index[leader[part]]]).all(axis=1)
            number[part] *= same
        return number

    def first_without_numbers(self) -> int | None:
        """The first point with a NaN or an infinite coordinate; None where there is none."""
        for part in self.parts():
            bad = np.flatnonzero(~np.isfinite(self.rows[self.index[part]]).all(axis=1))
            if len(bad):
                return int(part.start + bad[0])
        return None

    def distances(self, squared: Numbers) -> Numbers:
        """What the metric says, from squared distances of points."""
        return squared / 2 if self.metric == COSINE else np.sqrt(squared)


def squared_distances(asked: Space, a: Numbers, space: Space, b: Numbers) -> Numbers:
    """(pairs,), float64: of point a[i] of one space and b[i] of the other, from the differences themselves.

    Nothing cancels where points are nearly alike, and a pair has the same bits in both orders.

    Args:
        asked: the one space.
        a: (pairs,) numbers of points in it.
        space: the other one, of the same metric.
        b: (pairs,) numbers of points in that.
    """
    step = max(1, AT_ONCE // space.width)
    parts = [slice(start, start + step) for start in range(0, len(a), step)]
    squares = [((asked.directions(a[part]) - space.directions(b[part])) ** 2).sum(axis=1) for part in parts]
    whole = np.concatenate([np.zeros(0), *squares])
    if space.metric == EUCLID:
        return whole
    return np.asarray(whole + ((asked.lengths[a] == 0) != (space.lengths[b] == 0)))
