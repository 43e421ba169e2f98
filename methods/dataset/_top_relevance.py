"""The images and positions at which each unit of a layer is most relevant for the class that is predicted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.data import Batch, Quantity, Samples, Source, State, TopPositions
from crosslens.model import Model
from crosslens.model.reduction import Reduction, reduced
from crosslens.objective import Objective
from crosslens.objective.target import resolve_target
from crosslens.relevance import COMPOSITES, Propagation, refuse_after_softmax

from ._example_pictures import activation_shapes

__all__ = ["TopRelevance", "TopStatistics", "UnitRelevance", "top_statistics"]

TopStatistics: TypeAlias = Mapping[tuple[str, str], TopPositions]
"""By layer and kind."""


@dataclass(frozen=True)
class UnitRelevance(Quantity):
    """The relevance of layers for each image's predicted class, by layer-wise relevance propagation."""

    layers: tuple[str, ...]
    composite: str

    def compute(self, model: Model, samples: Samples) -> Array:
        """(N, ...), float32: the layers one after the other, each flat."""
        objective = _predicted(model, len(samples.ids))
        propagation = Propagation.of(model, COMPOSITES[self.composite], objective)
        found = propagation.of_layers(samples.images, objective, self.layers)
        return np.concatenate([as_numpy(found[name]).reshape(len(samples.ids), -1) for name in self.layers], axis=1)


@dataclass(frozen=True, kw_only=True)
class TopRelevance(TopPositions):
    """`TopPositions` of a layer's relevance in place of its activations."""

    quantity: UnitRelevance
    start: int
    """Where the layer's values begin."""
    shape: tuple[int, ...]
    """Of the layer, without the batch axis."""

    @property
    def layers(self) -> frozenset[str]:
        return frozenset()

    @property
    def reductions(self) -> frozenset[Reduction]:
        return frozenset()

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({self.quantity})

    def add(self, state: State, batch: Batch) -> State:
        flat = as_numpy(batch.quantities[self.quantity])[:, self.start : self.start + prod(self.shape)]
        relevance = {self.layer: flat.reshape(len(batch), *self.shape)}
        extrema = {each: reduced(each, relevance) for each in super().reductions}
        return super().add(state, Batch(batch.samples, relevance, extrema))


def top_statistics(
    model: Model, source: Source, layers: Sequence[str], kinds: Sequence[str], how: tuple[int, bool, str]
) -> TopStatistics:
    """The statistic of each layer and kind.

    Args:
        model: the network.
        source: the images.
        layers: by name.
        kinds: of `TOP_KINDS`.
        how: many examples; whether one of an image at most; the composite of relevance, "" for activations.

    Raises:
        TargetError: relevance is asked for, and the network shows no logits.
    """
    count, per_image, composite = how
    if not composite:
        pairs = product(layers, kinds)
        return {(layer, kind): TopPositions(layer, count, kind, per_image) for layer, kind in pairs}
    refuse_after_softmax(model, _predicted(model, 1), "top_examples by relevance")
    quantity, start = UnitRelevance(tuple(layers), composite), 0
    found: dict[tuple[str, str], TopPositions] = {}
    for layer, shape in activation_shapes(model, source, layers).items():
        given: dict[str, Any] = {"quantity": quantity, "start": start, "shape": shape}
        found |= {(layer, kind): TopRelevance(layer, count, kind, per_image, **given) for kind in kinds}
        start += prod(shape)
    return found


def _predicted(model: Model, count: int) -> Objective:
    return resolve_target(None, model, count)
