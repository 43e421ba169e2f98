"""Units of two layers matched one to one by the correlation of what they answer (Li et al., 2016, "Convergent
Learning").
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

__all__ = ["correlations", "matched_units"]

Numbers = np.ndarray[Any, Any]


def correlations(a: Numbers, b: Numbers) -> Numbers:
    """Pearson's correlation of each unit of a layer with each of another, (units of a, units of b); 0 of constants.

    Args:
        a: (samples, units): answers at the same images and positions as those of `b`.
        b: (samples, units).
    """
    first, second = (_standardised(each.astype(np.float64)) for each in (a, b))
    return np.asarray(first.T @ second / len(a))


def _standardised(values: Numbers) -> Numbers:
    centred = values - values.mean(axis=0)
    deviation = np.sqrt((centred**2).mean(axis=0))
    scale = np.abs(values).max(axis=0, initial=0)
    varies = deviation > 1e-6 * scale
    return np.asarray(np.divide(centred, deviation, out=np.zeros_like(centred), where=varies))


def matched_units(a: Numbers, b: Numbers) -> Sequence[tuple[int, int, float]]:
    """Pairs (unit of a, unit of b, correlation) with the largest sum of correlations, in the order of the units of a.

    Each unit is in one pair at most; a layer with fewer units leaves some of the other's alone.

    Args:
        a: as for `correlations`.
        b: as for `correlations`.
    """
    found = correlations(a, b)
    rows, columns = linear_sum_assignment(-found)
    return [(int(i), int(j), float(found[i, j])) for i, j in zip(rows, columns, strict=True)]
