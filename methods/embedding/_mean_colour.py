"""The mean colour of a data set's images, from which pictures like them are climbed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Batch, State, Statistic

__all__ = ["MeanColour", "mean_colour"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MeanColour(Statistic):
    """The sum of each channel over all pixels, "sum" (C,) float64, and how many there are, "pixels"."""

    def empty(self) -> State:
        """No channels: the first images that are added bring them."""
        return {"sum": np.zeros(0, np.float64), "pixels": np.int64(0)}

    def add(self, state: State, batch: Batch) -> State:
        images = as_numpy(batch.samples.images)
        sums = images.sum(axis=(0, *range(2, images.ndim)), dtype=np.float64)
        return self.merge(state, {"sum": sums, "pixels": np.int64(images.size // images.shape[1])})

    def merge(self, first: State, second: State) -> State:
        if not first["pixels"] or not second["pixels"]:
            return first if first["pixels"] else second
        return {name: first[name] + second[name] for name in first}


def mean_colour(state: State, bounds: tuple[float, float]) -> Numbers:
    """The mean of each channel, (C,), on a scale from 0 to 1."""
    low, high = bounds
    return np.asarray((state["sum"] / max(int(state["pixels"]), 1) - low) / (high - low))
