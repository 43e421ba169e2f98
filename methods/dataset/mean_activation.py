"""Mean activation: how strongly each unit of a layer answers on average over a data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Batch, Source, State, Statistic
from crosslens.errors import LayerError, ModelError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.result.table import Table

__all__ = ["ActivationSum", "MeanActivation"]


@dataclass(frozen=True)
class ActivationSum(Statistic):
    """The sum of each unit's activations over images and positions, in float64, and how many values were added."""

    layer: str

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def empty(self) -> State:
        """Zeros: the first sum that is added brings the axis of the units."""
        return {"sum": np.float64(0), "values": np.int64(0)}

    def add(self, state: State, batch: Batch) -> State:
        values = as_numpy(batch.activations[self.layer])
        units = values.ndim - 1 if values.ndim == 3 else 1  # tokens (N, T, D) keep their units last
        others = tuple(axis for axis in range(values.ndim) if axis != units)
        count = np.int64(values.size // values.shape[units])
        return self.merge(state, {"sum": values.sum(axis=others, dtype=np.float64), "values": count})

    def merge(self, first: State, second: State) -> State:
        return {name: first[name] + second[name] for name in first}


@dataclass(frozen=True, kw_only=True)
class MeanActivation(DatasetMethod):
    """The mean activation of each unit of a layer.

    The mean activation of each unit of a layer, over all positions and all images that could be read.

    Images count alike where they all have as many positions in the layer, which those of one size have.
    """

    name = "mean_activation"
    layer: str | None = param(None, "layer whose units are averaged; the last maps before the output if not given")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The default layer of the network's output, as for a class: a mean activation has no target of its own."""
        return {} if self.layer else {"layer": default_layer(model)}

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        layer = model.layer(str(self.layer))
        if len(layer.shape) < 2:
            raise LayerError(f"layer {layer.name!r} gives one number per image, {layer.shape}, so it has no units")
        return [ActivationSum(layer.name)]

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> Table:
        (state,) = gathered.values()
        means = state["sum"] / state["values"]
        if not np.isfinite(means).all():
            raise ModelError(
                f"the mean activation of layer {self.layer!r} is NaN or infinite: the network gives such values for "
                "some of the images; look at its weights, and at the preprocessing (preprocess=)"
            )
        return Table({"unit": np.arange(means.shape[0]), "mean": means})


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [MeanActivation]
