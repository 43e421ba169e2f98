"""Peak: the largest activation of each channel of a layer over a data set."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens import DatasetMethod, Statistic, Table, hookimpl, param
from crosslens.arrays import as_numpy


@dataclass(frozen=True)
class Largest(Statistic):
    """The largest value of each channel so far."""

    layer: str
    any_grouping = True  # maxima are the same bits in whatever order they are merged; sums are not

    @property
    def layers(self):
        return frozenset({self.layer})

    def empty(self):
        return {"largest": np.float32(-np.inf)}

    def add(self, state, batch):
        maps = as_numpy(batch.activations[self.layer])  # (N, C, H, W)
        return self.merge(state, {"largest": maps.max(axis=(0, 2, 3))})

    def merge(self, first, second):
        return {"largest": np.maximum(first["largest"], second["largest"])}


@dataclass(frozen=True, kw_only=True)
class Peak(DatasetMethod):
    """The largest activation of each channel of a layer with maps, over all images and positions."""

    name = "peak"
    example: ClassVar = {"layer": "conv2"}
    layer: str = param(doc="layer with maps (N, C, H, W)")

    def statistics(self, model, source, gathered=None):
        return [] if gathered else [Largest(model.layer(self.layer).name)]

    def finish(self, model, source, gathered, progress):
        (state,) = gathered.values()
        return Table({"channel": np.arange(len(state["largest"])), "largest": state["largest"]})


@hookimpl
def crosslens_methods():
    return [Peak]
