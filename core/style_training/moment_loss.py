"""The style loss of adaptive instance normalisation: means and deviations of channels (Huang and Belongie 2017)."""

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import LayerError
from ..objective import Objective
from ..objective.algebra import Activations, select_rows
from ..restyle.adain import Moments, moments

__all__ = ["MomentLoss", "moment_loss"]


@dataclass(frozen=True)
class MomentLoss(Objective):
    """The term of equation 13 for one layer: mean over channels of (mu - m)^2 + (sigma - s)^2."""

    layer: str
    mean: Any
    """m, (N, C, 1, 1)."""
    deviation: Any
    """s, (N, C, 1, 1)."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _apart(self, maps: Array) -> tuple[Moments, Array, Array]:
        if maps.ndim != 4:
            raise LayerError(f"means over positions need maps (N, C, H, W); {self.layer!r} gives {tuple(maps.shape)}")
        own = moments(maps)
        return own, own.mean - like(self.mean, maps), own.deviation - like(self.deviation, maps)

    def value(self, activations: Activations) -> Array:
        maps = activations[self.layer]
        _, mean, deviation = self._apart(maps)
        return namespace(maps).mean(mean * mean + deviation * deviation, axis=(1, 2, 3))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        """Of the mean (mu - m), of the deviation (sigma - s) (x - mu) / sigma, both times 2 / (C H W)."""
        maps = activations[self.layer]
        own, mean, deviation = self._apart(maps)
        factor = 2.0 / float(maps.shape[1] * maps.shape[2] * maps.shape[3])
        return {self.layer: factor * (mean + deviation / own.deviation * (maps - own.mean))}

    def select(self, start: int, stop: int) -> Objective:
        return replace(
            self,
            mean=select_rows(self.mean, start, stop),
            deviation=select_rows(self.deviation, start, stop),
        )

    def __str__(self) -> str:
        return f"moment_loss({self.layer!r})"


def moment_loss(layer: str, target: Moments) -> Objective:
    """The squared distance to the means and deviations of channels, as the mean over channels. To minimise it.

    The paper's equation 13 writes norms; its authors' code, like this, has the mean of squares.
    """
    return MomentLoss(layer, target.mean, target.deviation)
