"""Exact nearest neighbours, in memory that grows with the number of points and not with its square."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..execution.progress import Progress, silent
from .nearest_so_far import NearestSoFar
from .space import Space, squared_distances

__all__ = ["exact_neighbours"]

Numbers = np.ndarray[Any, Any]
ASKED, COLUMNS = 1024, 4096
"""Points of a block of products: asked ones, and those among which they are looked for."""
PREPARED = 1 << 24
"""Numbers of float32 that are prepared at once: 64 MiB."""
GROUPS = 256
"""Groups of columns of a block, of which the smallest value is looked at first."""


def exact_neighbours(
    space: Space, count: int, asked: Space | None = None, own: Numbers | None = None, progress: Progress = silent
) -> tuple[Numbers, Numbers]:
    """Places (m, count) in `space` of the nearest points of each asked one, and their distances, float64.

    Equal distances are in the order of the points; so of points with the very same row the first ones count alone.
    Products in float32, of points moved to their mean, choose
    candidates with a margin above all rounding (the bound of Higham 2002, section 3.1, for a sum of `width` products);
    what is compared and returned is computed from differences in float64. So the result does not depend on the
    library of matrix products or on the number of threads.

    Args:
        space: where neighbours are looked for; all numbers are finite.
        count: neighbours of each, at most as many as there are.
        asked: points whose neighbours are wanted; all of `space` if not given.
        own: (m,) the place of each asked point in `space`, which is left out of its neighbours; -1 for none.
        progress: called with (points done, all of them, what).
    """
    if asked is None:
        asked, own = space, np.arange(len(space))
    own = np.full(len(asked), -1) if own is None else own
    kept = np.flatnonzero(space.numbers_in_groups() <= count)
    found = np.searchsorted(kept, own)
    own = np.where((own >= 0) & (kept[np.minimum(found, len(kept) - 1)] == own), found, -1)
    search = _Search(Space(space.rows, space.index[kept], space.metric), asked, own, NearestSoFar(len(asked), count))
    search.run(progress)
    return kept[search.nearest.places], space.distances(search.nearest.squared)


@dataclass(frozen=True, eq=False)
class _Search:
    space: Space
    asked: Space
    own: Numbers
    nearest: NearestSoFar

    def run(self, progress: Progress) -> None:
        """All asked points with all others."""
        total, step = len(self.asked), max(COLUMNS, PREPARED // (self.space.width + 1) // COLUMNS * COLUMNS)
        parts = range(0, len(self.space), step)
        for done, start in enumerate(parts):
            columns = self.columns(slice(start, min(start + step, len(self.space))))
            for first in range(0, total, ASKED):
                self.compare(slice(first, min(first + ASKED, total)), start, columns)
                progress(done * total + min(first + ASKED, total), len(parts) * total, "neighbours")

    @cached_property
    def middle(self) -> Numbers:
        """The mean of all points: distances stay, and products lose less."""
        return np.asarray(sum(self.space.points(part).sum(axis=0) for part in self.space.parts()) / len(self.space))

    @cached_property
    def scale(self) -> float:
        """By which the farthest point from the middle has length 1."""
        farthest = max(
            float(np.sqrt(((space.points(part) - self.middle) ** 2).sum(axis=1).max(initial=0)))
            for space in {id(each): each for each in (self.space, self.asked)}.values()
            for part in space.parts()
        )
        return 1 / farthest if farthest else 1.0

    def prepared(self, space: Space, part: slice) -> tuple[Numbers, Numbers]:
        """Some points in float32, and their squared lengths, moved to the middle and scaled."""
        points = ((space.points(part) - self.middle) * self.scale).astype(np.float32)
        return points, (points.astype(np.float64) ** 2).sum(axis=1)

    def columns(self, part: slice) -> Numbers:
        """(m, width + 1), float32: points and their squared lengths, with infinite ones up to a whole block."""
        points, squares = self.prepared(self.space, part)
        columns = np.zeros((len(points) + -len(points) % GROUPS, self.space.width + 1), np.float32)
        columns[: len(points), :-1], columns[: len(points), -1], columns[len(points) :, -1] = points, squares, np.inf
        return columns

    def compare(self, part: slice, start: int, columns: Numbers) -> None:
        """Asked points with prepared ones, the first of which is point `start`."""
        points, squares = self.prepared(self.asked, part)
        left = np.concatenate([-2 * points, np.ones((len(points), 1), np.float32)], axis=1)
        margin = np.finfo(np.float32).eps * (self.space.width + 16) * (np.sqrt(squares) + 1) ** 2
        for first in range(0, len(columns), COLUMNS):
            about = left @ columns[first : first + COLUMNS].T
            row, column = self._candidates(about, part, start + first, squares, margin)
            asked, places = row + part.start, column + start + first
            self.nearest.add(asked, places, squared_distances(self.asked, asked, self.space, places))

    def _candidates(
        self, about: Numbers, part: slice, start: int, squares: Numbers, margin: Numbers
    ) -> tuple[Numbers, Numbers]:
        """Rows and columns of products, |b|^2 - 2 a b about, that may be among the nearest; `start` as above."""
        count, worst = self.nearest.count, self.nearest.squared[part, -1]
        limits = np.where(worst > 0, worst * self.scale**2 - squares + margin, -np.inf)
        itself = self.own[part] - start
        mine = np.flatnonzero((self.own[part] >= 0) & (itself >= 0) & (itself < about.shape[1]))
        about[mine, itself[mine]] = np.inf
        groups = about.reshape(len(about), -1, GROUPS)
        least = groups.min(axis=1)
        most = least if 2 * count <= GROUPS else about
        if count <= most.shape[1]:
            limits = np.minimum(limits, np.partition(most, count - 1, axis=1)[:, count - 1] + 2 * margin)
        limits = np.where(np.isinf(limits), np.sign(limits) * np.finfo(np.float32).max, limits)
        row, group = np.nonzero(least <= limits[:, None])
        which, inside = np.nonzero(groups[row, :, group] <= limits[row, None])
        return row[which], inside * GROUPS + group[which]
