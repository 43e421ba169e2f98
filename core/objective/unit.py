"""Units of a layer: a channel, or a neuron, one position of a channel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import LayerError
from ..model.base import INPUT, Model
from .algebra import Activations, Objective

__all__ = ["Channel", "channel", "neuron"]


@dataclass(frozen=True)
class Channel(Objective):
    """The mean over positions of one channel of maps or tokens, or one unit of a vector; or one position of it."""

    layer: str
    index: int
    position: tuple[int, ...] = ()
    linear = True

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _weights(self, a: Array) -> Array:
        """The weight of each element of one activation, of its shape."""
        axis = 1 if a.ndim == 3 else 0  # tokens (T, D) keep their channels last
        shape = a.shape[1:]
        if not 0 <= self.index < shape[axis]:
            raise LayerError(
                f"channel {self.index} is out of range; layer {self.layer!r} has {shape[axis]} channels, 0 to "
                f"{shape[axis] - 1}"
            )
        positions = tuple(n for i, n in enumerate(shape) if i != axis)
        if self.position and (
            len(self.position) != len(positions)
            or any(not 0 <= p < n for p, n in zip(self.position, positions, strict=True))
        ):
            ranges = " and ".join(f"0 to {n - 1}" for n in positions) or "none"
            raise LayerError(
                f"position {self.position} is out of range; layer {self.layer!r} has positions {positions}, {ranges}"
            )
        weights = np.zeros(shape)
        where: list[Any] = list(self.position or [slice(None)] * len(positions))
        where.insert(axis, self.index)
        weights[tuple(where)] = 1.0 if self.position else 1.0 / max(int(np.prod(positions)), 1)
        return like(weights, a)

    def value(self, activations: Activations) -> Array:
        a = activations[self.layer]
        return namespace(a).sum(a * self._weights(a)[None, ...], axis=tuple(range(1, a.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.layer]
        return {self.layer: namespace(a).zeros_like(a) + self._weights(a)[None, ...]}

    def check(self, model: Model) -> None:
        shape = model.layer(self.layer).shape if self.layer != INPUT else (None, *model.input.example_shape)
        position = self.position if None not in (*model.input.shape, *shape[1:]) else ()
        Channel(self.layer, self.index, position)._weights(np.zeros((1, *(n or 1 for n in shape[1:])), np.float32))

    def __str__(self) -> str:
        at = "".join(f", {p}" for p in self.position)
        return f"{'neuron' if self.position else 'channel'}({self.layer!r}, {self.index}{at})"


def channel(layer: str, index: int) -> Objective:
    """The mean of one channel of a layer over its positions; one unit of a layer of vectors."""
    return Channel(layer, index)


def neuron(layer: str, channel: int, *position: int) -> Objective:
    """One channel at one position: y, x in maps; z, y, x in volumes; t in tokens (N, T, D); no position in vectors."""
    return Channel(layer, channel, tuple(position))
