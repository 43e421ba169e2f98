"""Reductions: what a layer's units answer to an image, a number each, instead of all their positions.

A sweep over many layers asks for a few numbers of each unit. A backend may compute them where the activations are, in
its graph or on its device; `reduced` is the way for all others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import LayerError, ParameterError, unknown_name

__all__ = ["KINDS", "Reduction", "as_reduced", "positions_first", "reduced", "unit_axis"]

Numbers = np.ndarray[Any, Any]


def unit_axis(ndim: int) -> int:
    """The axis of the units of activations with `ndim` axes: tokens (N, T, D) have them last, all others second."""
    return 2 if ndim == 3 else 1


def positions_first(values: Array) -> Numbers:
    """Activations (N, ...) as (N, positions, units): maps row by row, tokens as they are, (N, K) as one position.

    Raises:
        LayerError: there are no units: one number per image.
    """
    array = as_numpy(values)
    if array.ndim < 2:
        raise LayerError(f"activations {array.shape} are one number per image, so they have no units")
    units_last = np.moveaxis(array, unit_axis(array.ndim), -1)
    return units_last.reshape(array.shape[0], -1, units_last.shape[-1])


KINDS: Mapping[str, Callable[[Numbers], Numbers]] = {
    "max": lambda values: values.max(axis=1),
    "min": lambda values: values.min(axis=1),
    "argmax": lambda values: values.argmax(axis=1),
    "argmin": lambda values: values.argmin(axis=1),
    "sum": lambda values: values.sum(axis=1, dtype=np.float64),
    "squares": lambda values: np.square(values, dtype=np.float64).sum(axis=1),
    "zeros": lambda values: (values == 0).sum(axis=1),
}
"""From (N, positions, units) to (N, units). Positions are counted row by row; of equal values the first one counts."""


@dataclass(frozen=True, order=True)
class Reduction:
    """One number for each image and unit of a layer, over the unit's positions: (N, units)."""

    layer: str
    kind: str
    """One of `KINDS`: "max", "min", "argmax", "argmin", "sum", "squares" or "zeros", the count of values that are 0."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ParameterError(unknown_name("reduction", self.kind, KINDS))


def as_reduced(kind: str, values: Array) -> Numbers:
    """What a framework computed for a kind, (N, units), in the type of `reduced`; counts may come as floats."""
    array = as_numpy(values)
    if kind in {"sum", "squares"}:
        return array.astype(np.float64)
    if kind in {"argmax", "argmin", "zeros"}:
        return (np.rint(array) if array.dtype.kind == "f" else array).astype(np.int64)
    return array


def reduced(reduction: Reduction, activations: Mapping[str, Array]) -> Numbers:
    """A reduction of known activations, (N, units): float32 for extrema, float64 for sums, int64 for the rest."""
    return KINDS[reduction.kind](positions_first(activations[reduction.layer]))
