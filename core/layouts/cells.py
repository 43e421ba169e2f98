"""Points of a plane in the cells of a grid laid over them, as atlases have it: several points to a cell."""

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from .layout import Numbers, usable

__all__ = ["grid_cells"]

PERCENTILES = (1, 99)
MARGIN = 0.1
"""Of the range between both percentiles, on each side."""


def grid_cells(points: Array, cells: int) -> Numbers:
    """The cell of each point in a grid of `cells` x `cells` (Carter et al. 2019, `normalize_layout` of the notebooks).

    Along each axis the grid reaches from the 1st to the 99th percentile of the points and a tenth further on both
    sides, but not beyond the last point; points outside are drawn in to its edge, so that a few far ones do not make
    the rest small.

    Args:
        points: (N, 2), x to the right and y upwards; those with NaN have no cell.
        cells: along each axis.

    Returns:
        (N, 2), int64: row, from the top, and column; -1 for points without a cell.

    Raises:
        ParameterError: points that are not in a plane, or fewer than one cell.
    """
    given = as_numpy(points).astype(np.float64)
    if given.ndim != 2 or given.shape[1] != 2:
        raise ParameterError(f"a grid takes points of a plane, (N, 2); received {given.shape}: lay out dimensions=2")
    if cells < 1:
        raise ParameterError(f"a grid has at least 1 cell along each axis, not {cells}")
    known = usable(given)
    found = np.full(given.shape, -1, np.int64)
    if known.any():
        own = np.stack([-given[known, 1], given[known, 0]], axis=1)
        low, high = np.percentile(own, PERCENTILES, axis=0)
        margin = MARGIN * (high - low)
        own = own.clip(low - margin, high + margin)
        extent = np.ptp(own, axis=0)
        share = (own - own.min(axis=0)) / np.where(extent > 0, extent, 1)
        found[known] = np.minimum((share * cells).astype(np.int64), cells - 1)
    return found
