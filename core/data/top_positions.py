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
_NONE = np.iinfo(np.int32).max
_FIRST_BITS = {"slightly_positive": np.uint32(1), "slightly_negative": np.uint32(0x80000001)}
"""The bits of the float32 next to zero on each side."""
_SIDE = np.uint32(0x7F800000)
"""Numbers on one side of zero, infinity included."""
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
        if self._reduces:
            best = self._reduced(batch)
        else:
            best = self._nearest_zero(state, batch) if self.per_image else self._best_positions(batch)
        return self.merge(state if len(state["value"]) else self._state(len(best["value"])), best)

    def merge(self, first: State, second: State) -> State:
        """The best of both; units whose best new value is worse than all they have stay as they are."""
        if not len(first["value"]) or not len(second["value"]):
            return first if len(first["value"]) else second
        old, new = self._order(first), self._order(second)
        better = new < old[:, -1:]
        if (equal := new == old[:, -1:]).any():
            better |= equal & (second["image"] < first["image"][:, -1:])
        changed = np.flatnonzero(better.any(axis=1))
        if not len(changed):
            return first
        rows = slice(None) if 2 * len(changed) > len(old) else changed
        joined = {name: np.concatenate([first[name][rows], second[name][rows]], axis=1) for name in first}
        keys = np.concatenate([old[rows], new[rows]], axis=1).astype(np.int64) << 32
        chosen = _smallest_keys(keys, joined["image"], first["image"].max(), second["image"])[:, : self.count]
        flat = chosen + np.arange(len(keys))[:, None] * keys.shape[1]
        merged = {name: joined[name].ravel()[flat] for name in first}
        if isinstance(rows, slice):
            return merged
        kept = {name: values.copy() for name, values in first.items()}
        for name, values in kept.items():
            values[rows] = merged[name]
        return kept

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

    def _whole(self, batch: Batch) -> Numbers:
        """Activations (N, units, positions), none of them NaN."""
        values = np.moveaxis(positions_first(batch.activations[self.layer]), 2, 1).astype(np.float32, copy=False)
        if np.isnan(values.max()):
            self._refuse_nan(values.max(axis=2), batch)
        return values

    def _nearest_zero(self, state: State, batch: Batch) -> State:
        """Of each unit and image the value next to zero on one side, (units, N), where it is better than all known.

        Less the bits of the first one on that side and without a sign, the bits of the values there are the smallest
        numbers, in order from zero.
        """
        values, first = self._whole(batch), _FIRST_BITS[self.kind]
        bits = values.view(np.uint32) - first
        nearest = bits.min(axis=2)
        worst = np.broadcast_to(_SIDE, nearest.shape[1])
        if len(state["value"]):
            known = state["value"][:, -1].astype(np.float32).view(np.uint32) - first
            worst = np.where(state["image"][:, -1] < 0, _SIDE, known + np.uint32(1))
        better = nearest < worst
        position = np.full(nearest.shape, -1, np.int64)
        position[better] = bits[better].argmin(axis=1)
        images = np.asarray(batch.samples.indices, np.int64)[:, None]
        return {
            "value": np.where(better, (nearest + first).view(np.float32), np.float32(0)).T,
            "image": np.where(better, images, -1).T,
            "position": position.T,
        }

    def _best_positions(self, batch: Batch) -> State:
        """The `count` best positions of all images, (units, n)."""
        values = self._whole(batch)
        image, position = np.divmod(_smallest(self._badness(values), self.count), values.shape[2])
        value = values[image, np.arange(values.shape[1])[:, None], position] + np.float32(0)
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

    def _order(self, state: State) -> Numbers:
        """Int32 in the order of values, best first; the largest where there is none."""
        signed = -state["value"] if self.kind in {"most", "slightly_negative"} else state["value"]
        return np.where(state["image"] < 0, _NONE, _sortable(signed + np.float32(0)))

    def _refuse_nan(self, values: Numbers, batch: Batch) -> None:
        """Refuse NaN among values (N, units)."""
        if np.isnan(values).any():
            first = int(np.isnan(values).any(axis=1).argmax())
            raise ModelError(
                f"layer {self.layer!r} gives NaN for the image {batch.samples.ids[first]!r}, so its units have no "
                "order: look at the network's weights, and at the preprocessing (preprocess=)"
            )


def _sortable(values: Numbers) -> Numbers:
    """Float32 as int32 in the same order, none of them NaN."""
    bits = np.ascontiguousarray(values, np.float32).view(np.int32)
    return bits ^ ((bits >> 31) & 0x7FFFFFFF)


def _smallest_keys(keys: Numbers, images: Numbers, last: np.int64, added: Numbers) -> Numbers:
    """Columns of keys (units, n), whose lower 32 bits are free, in order; of equal ones the lower image first.

    The order of the columns is that of the images where all `added` ones come after the `last` one before.
    """
    if ((added >= 0) & (added <= last)).any():
        return (keys | np.maximum(images, 0)).argsort(axis=1, kind="stable")
    keys |= np.arange(keys.shape[1])
    keys.sort(axis=1)
    return keys & 0xFFFFFFFF


def _smallest(badness: Numbers, count: int) -> Numbers:
    """(units, n): of (N, units, positions) the places of the smallest, best first, counted image by image."""
    rows = np.moveaxis(badness, 1, 0).reshape(badness.shape[1], -1)
    keys = _sortable(rows).astype(np.int64) << 32 | np.arange(rows.shape[1])
    if count < keys.shape[1]:
        keys = np.partition(keys, count - 1, axis=1)[:, :count]
    return np.sort(keys, axis=1) & 0xFFFFFFFF
