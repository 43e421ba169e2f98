"""Units of a layer: a channel, one neuron of it, a direction in the space of channels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError
from ..model import INPUT, Model
from .algebra import Activations, Objective

__all__ = ["Channel", "Direction", "channel", "direction", "neuron"]


@dataclass(frozen=True)
class Channel(Objective):
    """The mean over positions of one channel of maps or tokens, or one unit of a vector; with (y, x), one position."""

    name: str
    index: int
    position: tuple[int, ...] = ()
    linear = True

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def _weights(self, a: Array) -> Array:
        """Zeros of the shape of one activation, with what each element counts."""
        axis = 1 if a.ndim == 3 else 0  # tokens (T, D) keep their channels last
        shape = a.shape[1:]
        if not 0 <= self.index < shape[axis]:
            raise LayerError(f"channel {self.index} is out of range; layer {self.name!r} has {shape[axis]} channels")
        positions = tuple(n for i, n in enumerate(shape) if i != axis)
        if self.position and (
            len(self.position) != len(positions)
            or any(not 0 <= p < n for p, n in zip(self.position, positions, strict=True))
        ):
            raise LayerError(f"position {self.position} is out of range; layer {self.name!r} has positions {positions}")
        weights = np.zeros(shape, np.float32)
        where: list[Any] = list(self.position or [slice(None)] * len(positions))
        where.insert(axis, self.index)
        weights[tuple(where)] = 1.0 if self.position else 1.0 / max(int(np.prod(positions)), 1)
        return like(weights, a)

    def value(self, activations: Activations) -> Array:
        a = activations[self.name]
        return namespace(a).sum(a * self._weights(a)[None, ...], axis=tuple(range(1, a.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.name]
        return {self.name: namespace(a).zeros_like(a) + self._weights(a)[None, ...]}

    def check(self, model: Model) -> None:
        shape = model.layer(self.name).shape if self.name != INPUT else (None, *model.input.example_shape)
        Channel(self.name, self.index)._weights(np.zeros((1, *(n or 1 for n in shape[1:])), np.float32))

    def __str__(self) -> str:
        at = "".join(f", {p}" for p in self.position)
        return f"{'neuron' if self.position else 'channel'}({self.name!r}, {self.index}{at})"


@dataclass(frozen=True)
class Direction(Objective):
    """<v, a> at each position, averaged over positions: a direction in a layer's channels (Olah et al. 2018)."""

    name: str
    vector: Any
    linear = True

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.name})

    def _weights(self, a: Array) -> Array:
        v = like(self.vector, a)
        axis = 2 if a.ndim == 3 else 1
        if v.ndim != 1 or v.shape[0] != a.shape[axis]:
            raise LayerError(
                f"direction of shape {tuple(v.shape)} for layer {self.name!r} with {a.shape[axis]} channels"
            )
        shape = [1] * a.ndim
        shape[axis] = v.shape[0]
        positions = int(np.prod(a.shape[1:])) // v.shape[0]
        return namespace(a).reshape(v / positions, tuple(shape))

    def value(self, activations: Activations) -> Array:
        a = activations[self.name]
        return namespace(a).sum(a * self._weights(a), axis=tuple(range(1, a.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.name]
        return {self.name: namespace(a).zeros_like(a) + self._weights(a)}

    def __str__(self) -> str:
        return f"direction({self.name!r})"


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel of a layer over its positions; one unit where the layer is a vector."""
    return Channel(layer, index)


def neuron(layer: str, channel: int, *position: int) -> Objective:
    """One channel at one position (y, x) of maps, or token t."""
    return Channel(layer, channel, tuple(position))


def direction(layer: str, vector: Any) -> Objective:
    """<vector, channels> averaged over positions; `vector` has one number per channel."""
    return Direction(layer, vector)
