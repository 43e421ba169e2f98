"""Means and deviations of channels: the style of Huang and Belongie 2017 (https://arxiv.org/abs/1703.06868)."""

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import LayerError
from .algebra import Activations, Objective, select_rows

__all__ = ["EPSILON", "Moments", "channel_moments", "moments"]

EPSILON = 1e-5
"""Added to the variance before its root is taken, as in the authors' code."""


def channel_moments(maps: Array) -> tuple[Array, Array]:
    """Huang and Belongie 2017, equations 5 and 6: mean and deviation of each channel over positions, (N, C) each.

    The deviation is sqrt(variance + 1e-5), the variance that of the positions themselves, divided by their number.

    Raises:
        LayerError: not maps (N, C, H, W).
    """
    if maps.ndim != 4:
        raise LayerError(f"means over positions need maps (N, C, H, W); this layer gives {tuple(maps.shape)}")
    xp = namespace(maps)
    mean = xp.mean(maps, axis=(2, 3), keepdims=True)
    apart = maps - mean
    variance = xp.mean(apart * apart, axis=(2, 3))
    return xp.reshape(mean, variance.shape), xp.sqrt(variance + EPSILON)


@dataclass(frozen=True)
class Moments(Objective):
    """Huang and Belongie 2017, equation 13, of one layer: |mu - m|^2 + |sigma - s|^2, each divided by C."""

    layer: str
    mean: Any
    deviation: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def value(self, activations: Activations) -> Array:
        mean, deviation = channel_moments(activations[self.layer])
        a, b = mean - like(self.mean, mean), deviation - like(self.deviation, mean)
        return namespace(mean).mean(a * a + b * b, axis=1)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        maps = activations[self.layer]
        xp = namespace(maps)
        mean, deviation = channel_moments(maps)
        factor = 2.0 / float(maps.shape[1] * maps.shape[2] * maps.shape[3])
        a = factor * (mean - like(self.mean, mean))
        b = factor * (deviation - like(self.deviation, mean)) / deviation
        shape = (*mean.shape, 1, 1)
        return {self.layer: xp.reshape(a, shape) + xp.reshape(b, shape) * (maps - xp.reshape(mean, shape))}

    def select(self, start: int, stop: int) -> Objective:
        mean, deviation = (select_rows(each, start, stop) for each in (self.mean, self.deviation))
        return replace(self, mean=mean, deviation=deviation)

    def __str__(self) -> str:
        return f"moments({self.layer!r})"


def moments(layer: str, mean: Any, deviation: Any) -> Objective:
    """The mean squared distance to channels' means and deviations: AdaIN's style loss. To minimise it, subtract it.

    `mean` and `deviation` are (1, C) for all images or (N, C), as `channel_moments` gives them. The paper writes the
    norm of the distance; its authors' code, like this, has the mean of squares.
    """
    return Moments(layer, mean, deviation)
