"""Activations in blocks that fit into a processor's cache, for statistics that touch every value several times."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..model.reduction import unit_axis

__all__ = ["unit_blocks"]

Numbers = np.ndarray[Any, Any]
VALUES = 1 << 15
"""Values in a block: what is computed of them stays in a core's own cache, and memory is not given back in between.
"""


def unit_blocks(values: Array) -> Iterator[tuple[Numbers, Numbers, slice]]:
    """Parts of activations (N, C, ...), (N, T, D) or (N, K), float32; all values once.

    Yields:
        A part; the unit of each value in it, counted from the first one of the part, in a shape that goes together with
        the part's; and which units these are.
    """
    array = as_numpy(values).astype(np.float32, copy=False)
    last = unit_axis(array.ndim) == array.ndim - 1
    array = array.reshape(len(array), -1, array.shape[-1]) if last else array.reshape(*array.shape[:2], -1)
    units = array.shape[2 if last else 1]
    images = max(1, VALUES // max(array[0].size, 1))
    step = units if last else max(1, min(units, VALUES // max(array.shape[2], 1)))
    for start in range(0, len(array), images):
        for first in range(0, units, step):
            chosen = slice(first, min(first + step, units))
            numbers = np.arange(chosen.stop - first)
            part = array[start : start + images]
            yield (part, numbers, chosen) if last else (part[:, chosen], numbers[:, None], chosen)
