"""Directions in the space of a layer's channels (Olah et al. 2017 and 2018; Lucid's `direction` objectives)."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError
from .algebra import Activations, Objective

__all__ = ["Direction", "direction", "random_direction"]

MINIMUM_COSINE = 0.1
"""Smaller cosines count as this one, as in Lucid: activations that point elsewhere still have a gradient."""


@dataclass(frozen=True)
class Direction(Objective):
    """<v, a> max(0.1, cos(v, a))^power at each position, averaged over positions; power 0 is the plain product.

    An integer `vector` is the seed of a random direction of length one, drawn uniformly.
    """

    layer: str
    vector: Any
    power: float = 0.0
    central: bool = False
    """Whether only the position in the middle of maps counts, row h // 2 and column w // 2; tokens have no middle."""
    title: str = ""
    """What the direction is, in words."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.power == 0

    def _broadcast_vector(self, a: Array) -> tuple[Array, int, Array | float]:
        """The vector shaped to broadcast against `a`, the axis of channels, and the weight of each position."""
        axis = 2 if a.ndim == 3 else 1
        v = like(_random_direction(self.vector, a.shape[axis]) if isinstance(self.vector, int) else self.vector, a)
        if v.ndim != 1 or v.shape[0] != a.shape[axis]:
            raise LayerError(
                f"the direction has shape {tuple(v.shape)}; layer {self.layer!r} has {a.shape[axis]} channels: "
                f"give one number per channel, shape ({a.shape[axis]},)"
            )
        shape = [1] * a.ndim
        shape[axis] = v.shape[0]
        return namespace(a).reshape(v, tuple(shape)), axis, self._weights(a, v.shape[0])

    def _weights(self, a: Array, channels: int) -> Array | float:
        """The share of each position in the mean; an array (1, 1, ...) where only the middle counts."""
        if not self.central or a.ndim < 4:
            return 1.0 / (int(np.prod(a.shape[1:])) // channels)
        weights = np.zeros((1, 1, *a.shape[2:]), np.float32)
        weights[(0, 0, *(size // 2 for size in a.shape[2:]))] = 1.0
        return like(weights, a)

    def value(self, activations: Activations) -> Array:
        a = activations[self.layer]
        v, axis, weights = self._broadcast_vector(a)
        xp = namespace(a)
        if self.power == 0:
            return xp.sum(a * (v * weights), axis=tuple(range(1, a.ndim)))
        product, cosine, _ = _cosine(a, v, axis)
        powers = xp.clip(cosine, MINIMUM_COSINE, None) ** self.power
        return xp.sum(product * powers * weights, axis=tuple(range(1, a.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        """c^p v + s p c^(p - 1) (v / |v| - c a / |a|) / |a|, c the cosine, s the product; c > 0.1, else 0.1^p v."""
        a = activations[self.layer]
        v, axis, weights = self._broadcast_vector(a)
        xp = namespace(a)
        if self.power == 0:
            return {self.layer: xp.zeros_like(a) + v * weights}
        product, cosine, length = _cosine(a, v, axis)
        clipped = xp.clip(cosine, MINIMUM_COSINE, None)
        of_cosine = (v / _length(v) - cosine * a / length) / length
        factor = product * self.power * clipped ** (self.power - 1.0)
        factor = xp.where(cosine > MINIMUM_COSINE, factor, xp.zeros_like(cosine))
        return {self.layer: (clipped**self.power * v + factor * of_cosine) * weights}

    def __str__(self) -> str:
        kind = f", seed {self.vector}" if isinstance(self.vector, int) else ""
        kind += f", {self.title}" if self.title else ""
        return f"direction({self.layer!r}{kind}{f', power {self.power:g}' if self.power else ''})"


def _cosine(a: Array, v: Array, axis: int) -> tuple[Array, Array, Array]:
    """<v, a>, the cosine and the length of `a` at each position; a length of 0 is replaced by 1."""
    xp = namespace(a)
    product = xp.sum(a * v, axis=axis, keepdims=True)
    length = _length(a, axis)
    return product, product / (length * _length(v)), length


def _length(values: Array, axis: int | None = None) -> Array:
    """The length along an axis, or of all values; a length of 0 is replaced by 1, so that nothing is divided by it."""
    xp = namespace(values)
    length = xp.sqrt(xp.sum(values * values, axis=axis, keepdims=True))
    return xp.where(length > 0, length, xp.ones_like(length))


def _random_direction(seed: int, channels: int) -> np.ndarray[Any, Any]:
    vector = np.random.default_rng(seed).standard_normal(channels)
    return np.asarray(vector / np.linalg.norm(vector))


def direction(layer: str, vector: Any, power: float = 0.0, *, central: bool = False, title: str = "") -> Objective:
    """<vector, channels> averaged over positions.

    With a power, each position is weighted by its cosine to that power, which suppresses other directions (Lucid's
    `direction_cossim`; Olah et al. 2018 take powers of 1 to 4).

    Args:
        layer: of maps, tokens or vectors.
        vector: one number per channel.
        power: of the cosine.
        central: only the position in the middle of maps counts (Carter et al. 2019); of tokens all do.
        title: what the direction is, in words.
    """
    return Direction(layer, vector, float(power), central, title)


def random_direction(layer: str, seed: int = 0, power: float = 0.0) -> Objective:
    """A direction of length one, drawn uniformly; the same on every backend (Olah et al. 2017, "Random directions")."""
    return Direction(layer, int(seed), float(power))
