"""The images and positions at which each unit of a layer answers most, least, or just above or below zero."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np

from ..errors import ModelError, ParameterError, unknown_name
from ..model.reduction import Reduction, positions_first
from .statistic import Batch, State, Statistic

__all__ = ["TOP_KINDS", "TopPositions"]

Numbers: TypeAlias = np.ndarray[Any, Any]
TOP_KINDS = ("most", "slightly_positive", "slightly_negative", "least")
"""The largest values first; the smallest above zero first; the largest below zero first; the smallest first."""
_LAST = np.iinfo(np.int64).max
_FIRST_BITS = {"slightly_positive": np.uint32(1), "slightly_negative": np.uint32(0x80000001)}
"""The bits of the float32 next to zero on each side."""
_REDUCTIONS: Mapping[str, tuple[str, str]] = {"most": ("max", "argmax"), "least": ("min", "argmin")}


@dataclass(frozen=True)
class TopPositions(Statistic):
    """The best values of each unit, best first, with their images and positions.

    The state holds, each of shape (units, count), "value" (float32), "image" (int64, the image's index in the source)
    and "position" (int64, counted row by row). Equal values are in order of the image's index, then of the position;
    -0.0 and 0.0 are equal. Where a unit has fewer, the rest is the value 0, and -1 for image and position.
    """

    layer: str
    count: int
    kind: str = "most"
    """One of `TOP_KINDS`."""
    per_image: bool = True
    """Whether each image stands for itself with its best position only, the first one of equals."""
    any_grouping: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.kind not in TOP_KINDS:
            raise ParameterError(unknown_name("kind of examples", self.kind, TOP_KINDS))
        if self.count < 1:
            raise ParameterError(f"count is {self.count}; give the number of examples of a unit, at least 1")

    @property
    def layers(self) -> frozenset[str]:
        return frozenset() if self._reduces else frozenset({self.layer})

    @property
    def reductions(self) -> frozenset[Reduction]:
        return (
            frozenset(Reduction(self.layer, each) for each in _REDUCTIONS[self.kind]) if self._reduces else frozenset()
        )

    @property
    def _reduces(self) -> bool:
        """Whether the extremum of each image and unit is enough, so that no whole maps are needed."""
        return self.per_image and self.kind in _REDUCTIONS

    def empty(self) -> State:
        """No units: the first batch that is added brings their number."""
        return self._state(0)

    def add(self, state: State, batch: Batch) -> State:
        best = self._reduced(batch) if self._reduces else self._best_of_each(batch)
        return self.merge(state if len(state["value"]) else self._state(len(best["value"])), best)

    def merge(self, first: State, second: State) -> State:
        """The best of both; units whose best new value is worse than all they have stay as they are."""
        if not len(first["value"]) or not len(second["value"]):
            return first if len(first["value"]) else second
        worst = self._keys({name: values[:, -1:] for name, values in first.items()})
        keys = self._keys(second)
        rows = np.flatnonzero((keys < worst).any(axis=1))
        if not len(rows):
            return first
        joined = {name: np.concatenate([first[name][rows], second[name][rows]], axis=1) for name in first}
        chosen = self._keys(joined).argsort(axis=1, kind="stable")[:, : self.count]
        merged = {name: values.copy() for name, values in first.items()}
        for name, values in merged.items():
            values[rows] = np.take_along_axis(joined[name], chosen, axis=1)
        return merged

    def _state(self, units: int) -> dict[str, Numbers]:
        shape = (units, self.count)
        return {
            "value": np.zeros(shape, np.float32),
            "image": np.full(shape, -1, np.int64),
            "position": np.full(shape, -1, np.int64),
        }

    def _reduced(self, batch: Batch) -> State:
        """The extremum of each unit and image, (units, N)."""
        extremum, place = (batch.reduced[Reduction(self.layer, each)] for each in _REDUCTIONS[self.kind])
        values = extremum.T.astype(np.float32) + np.float32(0)  # -0.0 becomes 0.0
        self._refuse_nan(values.T, batch)
        images = np.asarray(batch.samples.indices, np.int64)
        return {
            "value": values,
            "image": np.broadcast_to(images, values.shape),
            "position": np.asarray(place.T, np.int64),
        }

    def _best_of_each(self, batch: Batch) -> State:
        """The best of whole activations, (units, n): one for each image, or the `count` best positions of all."""
        values = np.moveaxis(positions_first(batch.activations[self.layer]), 2, 1).astype(np.float32, copy=False)
        if np.isnan(values.max()):
            self._refuse_nan(values.max(axis=2), batch)
        if self.per_image:
            position = _nearest_zero(values, _FIRST_BITS[self.kind]).T
            image = np.broadcast_to(np.arange(len(batch)), position.shape)
        else:
            image, position = np.divmod(_smallest(self._badness(values), self.count), values.shape[2])
        units = np.arange(values.shape[1])[:, None]
        value = values[image, units, position] + np.float32(0)
        counts = self._counts(value)
        return {
            "value": np.where(counts, value, np.float32(0)),
            "image": np.where(counts, np.asarray(batch.samples.indices, np.int64)[image], -1),
            "position": np.where(counts, position, -1),
        }

    def _counts(self, values: Numbers) -> Numbers:
        """Whether a value is on the side of zero that is asked for."""
        if self.kind in _REDUCTIONS:
            return np.ones(values.shape, bool)
        return np.asarray(values > 0 if self.kind == "slightly_positive" else values < 0)

    def _badness(self, values: Numbers) -> Numbers:
        """Smaller is better; infinite where a value is on the wrong side of zero."""
        signed = (-values if self.kind in {"most", "slightly_negative"} else values) + np.float32(0)
        return signed if self.kind in _REDUCTIONS else np.where(self._counts(values), signed, np.float32(np.inf))

    def _keys(self, state: State) -> Numbers:
        """Whole numbers in the order of value, then image; `_LAST` where there is none."""
        keys = _sortable(self._badness(state["value"])) << 32 | state["image"]
        return np.where(state["image"] < 0, _LAST, keys)

    def _refuse_nan(self, values: Numbers, batch: Batch) -> None:
        """Refuse NaN among values (N, units)."""
        if np.isnan(values).any():
            first = int(np.isnan(values).any(axis=1).argmax())
            raise ModelError(
                f"layer {self.layer!r} gives NaN for the image {batch.samples.ids[first]!r}, so its units have no "
                "order: look at the network's weights, and at the preprocessing (preprocess=)"
            )


def _sortable(values: Numbers) -> Numbers:
    """Float32 as int64 in the same order, none of them NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.int32)
    return (bits ^ ((bits >> 31) & 0x7FFFFFFF)).astype(np.int64)


def _nearest_zero(values: Numbers, first: np.uint32) -> Numbers:
    """(N, units): of (N, units, positions) the place of the value next to zero on one side.

    Less `first` and without a sign, the bits of the values on that side are the smallest numbers, in order from zero.
    """
    place: Numbers = (np.ascontiguousarray(values).view(np.uint32) - first).argmin(axis=2)
    return place


def _smallest(badness: Numbers, count: int) -> Numbers:
    """(units, n): of (N, units, positions) the places of the smallest, best first, counted image by image."""
    rows = np.moveaxis(badness, 1, 0).reshape(badness.shape[1], -1)
    keys = _sortable(rows) << 32 | np.arange(rows.shape[1])
    if count < keys.shape[1]:
        keys = np.partition(keys, count - 1, axis=1)[:, :count]
    return np.sort(keys, axis=1) & 0xFFFFFFFF
