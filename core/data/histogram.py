"""Histograms of each unit's activations between fixed edges."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from .statistic import Batch, State, Statistic
from .unit_blocks import unit_blocks

__all__ = ["Histogram", "edges_between"]

Numbers = np.ndarray[Any, Any]


def edges_between(low: Numbers, high: Numbers, bins: int) -> Numbers:
    """The edges of as many bins of one width between each unit's least and largest value, (units, bins + 1) float32.

    A unit with too narrow a range for float32 to divide gets bins from half below its least value to half above.
    """
    low, high = np.asarray(low, np.float64), np.asarray(high, np.float64)
    step = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32))
    narrow = high - low <= bins * np.maximum(4 * step, np.finfo(np.float32).tiny)
    low, high = np.where(narrow, low - 0.5, low), np.where(narrow, low + 0.5, high)
    return np.linspace(low, high, bins + 1, axis=-1).astype(np.float32)


@dataclass(frozen=True)
class Histogram(Statistic):
    """How many values of each unit lie in each bin, whole numbers: from its lower edge on and below its upper one.

    The last bin holds its upper edge too, as numpy.histogram has it.
    """

    any_grouping: ClassVar[bool] = True

    layer: str
    units: int
    edges: bytes
    """(units, bins + 1) float32, from `edges_between`; no value lies outside."""

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def known_edges(self) -> Numbers:
        """(units, bins + 1), float32."""
        return np.frombuffer(self.edges, np.float32).reshape(self.units, -1)

    def empty(self) -> State:
        return {"counts": np.zeros((self.units, self.known_edges().shape[1] - 1), np.int64)}

    def add(self, state: State, batch: Batch) -> State:
        edges = self.known_edges()
        bins = edges.shape[1] - 1
        low, scale = edges[:, 0], bins / (edges[:, -1] - edges[:, 0])
        counts = np.zeros((self.units, bins), np.int64)
        for values, numbers, chosen in unit_blocks(batch.activations[self.layer]):
            here, first = edges[chosen].ravel(), numbers * (bins + 1)
            unit = numbers + chosen.start
            place = ((values - low[unit]) * scale[unit]).astype(np.int64)
            np.clip(place, 0, bins - 1, out=place)
            place += first
            place -= (values < here[place]) & (place > first)  # rounding may have led to the bin beside
            place += (values >= here[place + 1]) & (place < first + bins - 1)
            counted = np.bincount(place.ravel(), minlength=here.size).reshape(-1, bins + 1)
            counts[chosen] += counted[:, :-1]
        return self.merge(state, {"counts": counts})

    def merge(self, first: State, second: State) -> State:
        return {"counts": first["counts"] + second["counts"]}
