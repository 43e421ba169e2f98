"""Points moved to the cells of a grid, one to a cell, so that pictures at their places do not cover each other."""

from collections.abc import Iterator
from math import ceil, sqrt

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from .layout import Numbers, usable

__all__ = ["snapped"]

EXACT = 1_600
"""Cells up to which the assignment is the best one; it takes about a second then, and grows with the third power."""


def snapped(points: Array, shape: tuple[int, int] | None = None) -> Numbers:
    """A cell of a grid for each point of a plane, no two in one.

    Up to 1,600 cells the sum of squared distances between points and cells, both scaled to a unit square, is the least
    possible (scipy's `linear_sum_assignment`). Above, the grid is halved along its longer side, again and again, and
    the points with it, in the order of that coordinate: neighbours stay near, and a million points take seconds.

    Args:
        points: (N, 2), x to the right and y upwards; those with NaN get no cell.
        shape: (rows, columns), at least as many cells as points. If not given, about square, with few cells left empty.

    Returns:
        (N, 2), int64: row, from the top, and column of each point's cell; -1 for points without one.

    Raises:
        ParameterError: points that are not in a plane, or more of them than cells.
    """
    given = as_numpy(points)
    if given.ndim != 2 or given.shape[1] != 2:
        raise ParameterError(f"a grid takes points of a plane, (N, 2); received {given.shape}: lay out dimensions=2")
    known = usable(given)
    count = int(known.sum())
    rows, columns = shape or _about_square(count)
    if rows < 1 or columns < 1 or rows * columns < count:
        raise ParameterError(f"a grid of {rows} x {columns} cells has no room for {count} points")
    cells = np.full((len(given), 2), -1, np.int64)
    if count:
        unit = _unit_square(given[known].astype(np.float64))
        cells[known] = _assigned(unit, rows, columns) if rows * columns <= EXACT else _halved(unit, rows, columns)
    return cells


def _about_square(count: int) -> tuple[int, int]:
    columns = max(1, ceil(sqrt(count)))
    return max(1, ceil(count / columns)), columns


def _unit_square(points: Numbers) -> Numbers:
    """Points (row, column) scaled to [0, 1] on both axes, rows downwards."""
    down = np.stack([-points[:, 1], points[:, 0]], axis=1)
    extent = np.ptp(down, axis=0)
    return np.asarray((down - down.min(axis=0)) / np.where(extent > 0, extent, 1))


def _assigned(unit: Numbers, rows: int, columns: int) -> Numbers:
    from scipy.optimize import linear_sum_assignment

    row, column = np.divmod(np.arange(rows * columns), columns)
    centres = np.stack([row / max(rows - 1, 1), column / max(columns - 1, 1)], axis=1)
    costs = ((unit[:, None] - centres[None]) ** 2).sum(axis=2)
    _, chosen = linear_sum_assignment(costs)
    return np.stack([row[chosen], column[chosen]], axis=1)


def _halved(unit: Numbers, rows: int, columns: int) -> Numbers:
    cells = np.empty((len(unit), 2), np.int64)
    for places, row, column in _parts(unit, np.arange(len(unit)), (0, 0, rows, columns)):
        cells[places] = row, column
    return cells


def _parts(unit: Numbers, places: Numbers, block: tuple[int, int, int, int]) -> Iterator[tuple[Numbers, int, int]]:
    """The point of each cell of a block (top, left, rows, columns): halves of the points for halves of the cells."""
    waiting = [(places, block)]
    while waiting:
        own, (top, left, rows, columns) = waiting.pop()
        if not len(own):
            continue
        if rows * columns == 1:
            yield own, top, left
            continue
        axis = 0 if rows >= columns else 1
        half = (rows if axis == 0 else columns) // 2
        first = (top, left, half, columns) if axis == 0 else (top, left, rows, half)
        second = (top + half, left, rows - half, columns) if axis == 0 else (top, left + half, rows, columns - half)
        room, other = first[2] * first[3], second[2] * second[3]
        taken = min(room, max(len(own) - other, round(len(own) * room / (room + other))))
        order = own[np.argsort(unit[own, axis], kind="stable")]
        waiting += [(order[:taken], first), (order[taken:], second)]
