"""The strongest channel of a layer, which occlusion of Zeiler and Fergus (2014, figure 7b) observes."""

from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..model.base import Model
from .algebra import Activations, Objective

__all__ = ["StrongestChannel", "strongest"]


@dataclass(frozen=True)
class StrongestChannel(Objective):
    """The sum over positions of one channel of a layer; with `channels` None, each image's with the largest sum."""

    layer: str
    channels: tuple[int, ...] | None = None
    """One for each image, or one for all variants of an image."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _sums(self, a: Array) -> Array:
        """The sum of each channel over positions, (N, C); the channels of tokens (N, T, D) are on the last axis."""
        axes = (1,) if a.ndim == 3 else tuple(range(2, a.ndim))
        return namespace(a).sum(a, axis=axes) if axes else a

    def _one_hot(self, sums: Array) -> Array:
        """(N, C): 1 at each image's channel, 0 elsewhere."""
        values = as_numpy(sums)
        count, width = values.shape
        channels = values.argmax(axis=1) if self.channels is None else np.resize(self.channels, count)
        return like(np.eye(width)[channels], sums)

    def value(self, activations: Activations) -> Array:
        sums = self._sums(activations[self.layer])
        return namespace(sums).sum(sums * self._one_hot(sums), axis=1)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        a = activations[self.layer]
        xp, one_hot = namespace(a), self._one_hot(self._sums(a))
        shape = (a.shape[0], 1, a.shape[2]) if a.ndim == 3 else (*a.shape[:2], *[1] * (a.ndim - 2))
        return {self.layer: xp.zeros_like(a) + xp.reshape(one_hot, shape)}

    @property
    def count(self) -> int | None:
        return None if self.channels is None or len(self.channels) == 1 else len(self.channels)

    def select(self, start: int, stop: int) -> Objective:
        return self if self.count is None else replace(self, channels=(self.channels or ())[start:stop])

    def fix_choices(self, activations: Activations) -> Objective:
        sums = as_numpy(self._sums(activations[self.layer]))
        return self if self.channels else replace(self, channels=tuple(int(c) for c in sums.argmax(axis=1)))

    def check(self, model: Model) -> None:
        model.layer(self.layer)

    def __str__(self) -> str:
        of = "" if self.channels is None else f", channels {list(self.channels)}"
        return f"strongest({self.layer!r}{of})"


def strongest(layer: str) -> Objective:
    """The sum over positions of the channel of a layer that has the largest sum for the image.

    A method that covers parts of an image keeps the channel of the uncovered image.
    """
    return StrongestChannel(layer)
