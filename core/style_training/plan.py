"""What one step of training minimises: the contract of a plan, and the loss whose parts are told."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..model.base import Model
from ..objective import Objective
from ..objective.algebra import Activations
from ..style_network.spec import StyleSpec

__all__ = ["PARTS", "Batch", "Part", "Plan", "StepLoss"]

PARTS = ("content", "style", "total_variation")
"""What a loss is made of."""
Part: TypeAlias = tuple[Any, Objective]
"""The weight of each image (N,), or of all (1,), and what it weighs."""


@dataclass
class StepLoss(Objective):
    """The weighted sum of parts, divided by `unit`; after a pass `told` holds the weighted parts by name, (N,) each."""

    parts: Mapping[str, Part]
    unit: float
    told: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(objective.layers for _, objective in self.parts.values()))

    def value(self, activations: Activations) -> Array:
        return self.value_and_cotangents(activations)[0]

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self.value_and_cotangents(activations)[1]

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        total: Any = 0.0
        gradients: dict[str, Array] = {}
        for name, (weights, objective) in self.parts.items():
            values, cotangents = objective.value_and_cotangents(activations)
            self.told[name] = np.asarray(weights) * as_numpy(values)
            total = total + like(np.asarray(weights, np.float32) / self.unit, values) * values
            for layer, each in cotangents.items():
                weighted = each * _per_image(weights / self.unit, each)
                gradients[layer] = gradients[layer] + weighted if layer in gradients else weighted
        return total, gradients

    def __str__(self) -> str:
        return "style training"


def _per_image(weights: Any, of: Array) -> Array:
    """Weights (N,) or (1,) in a shape that multiplies (N, ...)."""
    values = like(np.asarray(weights, np.float32), of)
    return namespace(of).reshape(values, (-1, *[1] * (of.ndim - 1)))


@dataclass(frozen=True)
class Batch:
    """One step's data."""

    inputs: Sequence[np.ndarray[Any, Any]]
    """What the style network is given."""
    parts: Mapping[str, Part]
    """By name, in the order of `PARTS`."""


class Plan(ABC):
    """One way of training: what network, what it is given at each step, and what is minimised."""

    model: Model
    """The loss network, in [0, 1]."""
    spec: StyleSpec
    unit: float
    """The content's loss at activations of zero, the mean over photographs: what the gradient is divided by."""

    @abstractmethod
    def batch(self, rng: np.random.Generator) -> Batch:
        """The data of a step, drawn with this generator."""

    @abstractmethod
    def sample_inputs(self) -> Sequence[np.ndarray[Any, Any]]:
        """What the network is given for sample pictures: one photograph in each style, at most four."""

    @abstractmethod
    def record(self) -> Mapping[str, Any]:
        """What must be the same to go on: layers, weights, digests; as JSON can hold it."""

    @abstractmethod
    def weights(self) -> Mapping[str, Any]:
        """The weights of the losses by name, as JSON can hold them."""

    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the data."""
