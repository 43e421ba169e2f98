"""How near a layer comes to a point of its own space: a cluster's centre, an embedding of another picture."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError
from .algebra import Activations, Objective

__all__ = ["Near", "near"]


@dataclass(frozen=True)
class Near(Objective):
    """-|m - v|^2 / |v|^2, m the activations (N, C) averaged over positions: 0 at the point, -1 at the origin."""

    layer: str
    vector: Any
    title: str = ""
    """What the point is, in words."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _parts(self, activations: Activations) -> tuple[Array, float, int]:
        """(m - v) / |v| to broadcast against the layer, |v|, and how many positions were averaged."""
        a = activations[self.layer]
        axis = 2 if a.ndim == 3 else 1
        length = float(np.linalg.norm(np.asarray(self.vector, np.float64))) or 1.0
        v = like(self.vector, a)
        if a.ndim < 2 or v.ndim != 1 or v.shape[0] != a.shape[axis]:
            raise LayerError(
                f"the point has shape {tuple(v.shape)}; layer {self.layer!r} gives {tuple(a.shape)}: give one number "
                "per channel"
            )
        xp, shape = namespace(a), [1] * a.ndim
        shape[axis] = v.shape[0]
        others = tuple(n for n in range(1, a.ndim) if n != axis)
        mean = xp.mean(a, axis=others, keepdims=True) if others else a
        return (mean - xp.reshape(v, tuple(shape))) / length, length, int(np.prod(a.shape[1:])) // v.shape[0]

    def value(self, activations: Activations) -> Array:
        distance, _, _ = self._parts(activations)
        return -namespace(distance).sum(distance * distance, axis=tuple(range(1, distance.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.layer]
        distance, length, positions = self._parts(activations)
        return {self.layer: namespace(a).zeros_like(a) - distance * (2.0 / (length * positions))}

    def __str__(self) -> str:
        return f"near({self.layer!r}{f', {self.title}' if self.title else ''})"


def near(layer: str, vector: Any, title: str = "") -> Objective:
    """Minus the squared distance of a layer, averaged over positions, to a point, in units of the point's length.

    `vector` has one number per channel: the centroid of a facet, for example. 0 is the best value. `title` says what it
    is, in words.
    """
    return Near(layer, vector, title)
