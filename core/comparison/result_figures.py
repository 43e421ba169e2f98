"""The figures of two results of one method: of their values, and of their maps if they have any."""

from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..errors import ComparisonError
from ..result import Attribution, Result, Synthesis
from ..result.scores import Scores
from .metrics import agreement, map_agreement

__all__ = ["Explained", "figures_between", "values_and_maps"]

Explained = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]
"""A result's values (N, ...), and its maps (N, h, w) or None."""


def values_and_maps(result: Result) -> Explained:
    """What is compared of a result.

    Raises:
        ComparisonError: it has no values.
    """
    has_maps = isinstance(result, Attribution) and result.values.ndim in {3, 4, 5}
    return _values(result), as_numpy(result.maps()) if has_maps else None  # type: ignore[attr-defined]


def figures_between(a: Explained, b: Explained, n: int, m: int) -> dict[str, float]:
    """The figures of one image in two results.

    Args:
        a, b: what `values_and_maps` gives of either result.
        n, m: the index of the image in `a` and in `b`.
    """
    figures = agreement(a[0][n], b[0][m])
    return figures | ({} if a[1] is None or b[1] is None else map_agreement(a[1][n], b[1][m]))


def _values(result: Result) -> np.ndarray[Any, Any]:
    if isinstance(result, Attribution | Scores):
        return as_numpy(result.values)
    if isinstance(result, Synthesis):
        return as_numpy(result.images)
    raise ComparisonError(f"a {type(result).__name__} has no values to compare")
