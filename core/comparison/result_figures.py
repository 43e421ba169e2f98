"""The figures of two results of one method: of their values, and of their maps if they have any."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arrays import as_numpy
from ..concepts.unit_dictionary import UnitDictionary
from ..errors import ComparisonError
from ..method.base import Method, gives
from ..result import Attribution, Result, Synthesis
from ..result.scores import Scores
from .metrics import agreement, map_agreement

__all__ = ["Explained", "figures_between", "refuse_incomparable_results", "values_and_maps"]

_COMPARED = (Attribution, Scores, Synthesis, UnitDictionary)

Explained = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]
"""A result's values (N, ...), and its maps (N, h, w) or None."""


def refuse_incomparable_results(methods: Mapping[str, Method]) -> None:
    """Refuse a method whose results have no values to compare before it runs, as far as its annotation says so.

    Raises:
        ComparisonError: with the method.
    """
    for label, method in methods.items():
        kind = type(method)
        told = gives(kind, Result) and kind.run.__annotations__["return"] not in {Result, "Result"}
        if told and not any(gives(kind, each) for each in _COMPARED):
            raise ComparisonError(
                f"{label} gives no values to compare; run it on each model: crosslens run {kind.name} MODEL"
            )


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
    if isinstance(result, Attribution | Scores | UnitDictionary):
        return as_numpy(result.values)
    if isinstance(result, Synthesis):
        return as_numpy(result.images)
    raise ComparisonError(f"a {type(result).__name__} has no values to compare")
