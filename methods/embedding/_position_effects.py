"""What random positions of a layer do for each class: gradient of the logits times activation, all classes at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.data import Batch, Quantity, Samples, State
from crosslens.data.sampling.sampled_positions import SampledPositions
from crosslens.model import Model
from crosslens.model.reduction import positions_first, unit_axis
from crosslens.objective.class_score import ClassScore

__all__ = ["AttributedPositions", "PositionEffects", "strongest"]

Numbers = np.ndarray[Any, Any]
FEW = 32
"""Classes up to which each has a backward pass of its own."""
STEP = 2.0**-4
"""Share by which a position's activation is raised and lowered where classes are more."""


@dataclass(frozen=True)
class PositionEffects(Quantity):
    """How much the activation at each sampled position adds to each class: <gradient of the logit, activation> there.

    Up to 32 classes by a backward pass for each. Of more it is the directional derivative of all class scores along
    the position's own activation, by central differences: two forward passes, the same number up to rounding (about
    1e-4) where what follows the layer is linear between both, else off by the third derivative.
    """

    sample: SampledPositions

    def compute(self, model: Model, samples: Samples) -> Array:
        """(N, positions of an image, classes), float32."""
        way = self._by_gradients if model.output.count <= FEW else self._by_differences
        return way(model, samples).astype(np.float32)

    def _places(self, ids: Sequence[str], activation: Array) -> Numbers:
        return self.sample.candidates(ids, tuple(activation.shape))[1]

    def _by_gradients(self, model: Model, samples: Samples) -> Numbers:
        layer, found = self.sample.layer, []
        scores = [ClassScore(index).for_model(model) for index in range(model.output.count)]
        with model.linearize(samples.images, sorted({layer, *scores[0].layers}), wrt=[layer]) as at:
            places = self._places(samples.ids, at.activations[layer])
            values, image = positions_first(at.activations[layer]), np.arange(len(places))[:, None]
            for each in scores:
                gradient = positions_first(at.vjp(each.cotangents(at.inside))[layer])
                found.append((gradient[image, places] * values[image, places]).sum(axis=2, dtype=np.float64))
        return np.stack(found, axis=2)

    def _by_differences(self, model: Model, samples: Samples) -> Numbers:
        scores, layer = ClassScore(0).for_model(model), self.sample.layer
        assert isinstance(scores, ClassScore)
        activation = model.forward(samples.images, [layer])[layer]

        def scored(scale: float, place: Numbers) -> Numbers:
            changed = like(_scaled(as_numpy(activation), place, scale), activation)
            read = model.forward(samples.images, sorted(scores.layers), replace={layer: changed})
            return as_numpy(scores.scores(read)).astype(np.float64)

        each = [scored(1 + STEP, place) - scored(1 - STEP, place) for place in self._places(samples.ids, activation).T]
        return np.stack(each, axis=1) / (2 * STEP)


def _scaled(values: Numbers, places: Numbers, scale: float) -> Numbers:
    """Activations (N, ...) with all units at one position of each image, counted row by row, times a scale."""
    axis = unit_axis(values.ndim)
    changed = np.moveaxis(values, axis, -1).copy()
    flat = changed.reshape(len(changed), -1, changed.shape[-1])
    flat[np.arange(len(flat)), places] *= np.float32(scale)
    return np.ascontiguousarray(np.moveaxis(flat.reshape(changed.shape), -1, axis))


@dataclass(frozen=True)
class AttributedPositions(SampledPositions):
    """Sampled positions with what each of them adds to each class: "effect" (n, classes) float32 beside the rest."""

    classes: int = field(default=0, kw_only=True)
    """Of the network."""

    @property
    def _effects(self) -> PositionEffects:
        return PositionEffects(SampledPositions(self.layer, self.count, self.seed, self.edge, self.per_image))

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({self._effects})

    def empty(self) -> State:
        return {**super().empty(), "effect": np.zeros((0, self.classes), np.float32)}

    def _added(self, batch: Batch) -> State:
        effects = as_numpy(batch.quantities[self._effects])
        return {**super()._added(batch), "effect": effects.reshape(-1, effects.shape[2])}


def strongest(effects: Array, count: int) -> Numbers:
    """The classes that rows (n, classes) add most to, (n, count), the strongest first, of equal ones the lower one."""
    return np.argsort(-as_numpy(effects), axis=1, kind="stable")[:, :count]
