"""Directions in the space of a layer's channels (Olah et al. 2017 and 2018; Lucid's `direction` objectives)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError
from .algebra import Activations, Objective

__all__ = ["Direction", "direction", "random_direction"]

FLOOR = 0.1
"""Lucid's least cosine, so that a layer that points elsewhere is still pulled."""


@dataclass(frozen=True)
class Direction(Objective):
    """<v, a> max(0.1, cos(v, a))^power at each position, averaged over positions; power 0 is the plain product.

    A whole number for `vector` is the seed of a direction drawn uniformly, of length one.
    """

    layer: str
    vector: Any
    power: float = 0.0

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.power == 0

    def _laid_out(self, a: Array) -> tuple[Array, int, int]:
        """The vector with ones for the other axes, the axis of channels, and the number of positions."""
        axis = 2 if a.ndim == 3 else 1
        v = like(_drawn(self.vector, a.shape[axis]) if isinstance(self.vector, int) else self.vector, a)
        if v.ndim != 1 or v.shape[0] != a.shape[axis]:
            raise LayerError(
                f"direction of shape {tuple(v.shape)} for layer {self.layer!r} with {a.shape[axis]} channels"
            )
        shape = [1] * a.ndim
        shape[axis] = v.shape[0]
        return namespace(a).reshape(v, tuple(shape)), axis, int(np.prod(a.shape[1:])) // v.shape[0]

    def value(self, activations: Activations) -> Array:
        a = activations[self.layer]
        v, axis, positions = self._laid_out(a)
        xp = namespace(a)
        if self.power == 0:
            return xp.sum(a * (v / positions), axis=tuple(range(1, a.ndim)))
        product, cosine, _ = _cosine(a, v, axis)
        return xp.sum(product * xp.clip(cosine, FLOOR, None) ** self.power, axis=tuple(range(1, a.ndim))) / positions

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        """c^p v + s p c^(p - 1) (v / |v| - c a / |a|) / |a|, c the cosine, s the product; c > 0.1, else 0.1^p v."""
        a = activations[self.layer]
        v, axis, positions = self._laid_out(a)
        xp = namespace(a)
        if self.power == 0:
            return {self.layer: xp.zeros_like(a) + v / positions}
        product, cosine, length = _cosine(a, v, axis)
        kept = xp.clip(cosine, FLOOR, None)
        turn = (v / xp.sqrt(xp.sum(v * v)) - cosine * a / length) / length
        steep = xp.where(cosine > FLOOR, product * self.power * kept ** (self.power - 1.0), xp.zeros_like(cosine))
        return {self.layer: (kept**self.power * v + steep * turn) / positions}

    def __str__(self) -> str:
        kind = f", seed {self.vector}" if isinstance(self.vector, int) else ""
        return f"direction({self.layer!r}{kind}{f', power {self.power:g}' if self.power else ''})"


def _cosine(a: Array, v: Array, axis: int) -> tuple[Array, Array, Array]:
    """The product with v, the cosine and the length at each position; length 1 stands in for 0."""
    xp = namespace(a)
    product = xp.sum(a * v, axis=axis, keepdims=True)
    length = xp.sqrt(xp.sum(a * a, axis=axis, keepdims=True))
    length = xp.where(length > 0, length, xp.ones_like(length))
    return product, product / (length * xp.sqrt(xp.sum(v * v))), length


def _drawn(seed: int, channels: int) -> np.ndarray[Any, Any]:
    vector = np.random.default_rng(seed).standard_normal(channels)
    return np.asarray(vector / np.linalg.norm(vector))


def direction(layer: str, vector: Any, power: float = 0.0) -> Objective:
    """<vector, channels> averaged over positions; `vector` has one number per channel.

    With a power, each position counts times its cosine to that power, so that other directions do not come along
    (Lucid's `direction_cossim`; Olah et al. 2018 take 1 to 4).
    """
    return Direction(layer, vector, float(power))


def random_direction(layer: str, seed: int = 0, power: float = 0.0) -> Objective:
    """A direction of length one, drawn uniformly; the same on every backend (Olah et al. 2017, "Random directions")."""
    return Direction(layer, int(seed), float(power))
