"""Sums of powers over a layer, or over its distance to a reference: DeepDream's objective, norms, matching."""

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import LayerError
from ..model.base import INPUT
from .algebra import Activations, Objective, select_rows

__all__ = ["PowerSum", "layer", "match", "norm"]


@dataclass(frozen=True)
class PowerSum(Objective):
    """scale * sum |a - reference|^power over one layer of each image; without a reference, |a - centre|^power."""

    layer: str
    power: float = 2.0
    reference: Any = None
    scale: float = 1.0
    title: str = "layer"
    centre: float = 0.0

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _difference(self, activations: Activations) -> Array:
        a = activations[self.layer]
        if self.reference is None:
            return a - self.centre if self.centre else a
        reference = like(self.reference, a)
        if reference.ndim != a.ndim or reference.shape[0] not in {1, a.shape[0]} or reference.shape[1:] != a.shape[1:]:
            raise LayerError(
                f"the reference of {self} has shape {tuple(reference.shape)}; the layer gives {tuple(a.shape)}"
            )
        return a - reference

    def select(self, start: int, stop: int) -> Objective:
        return replace(self, reference=select_rows(self.reference, start, stop))

    def value(self, activations: Activations) -> Array:
        d = self._difference(activations)
        xp = namespace(d)
        return self.scale * xp.sum(xp.abs(d) ** self.power, axis=tuple(range(1, d.ndim)))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        d = self._difference(activations)
        if self.power == 2.0:
            return {self.layer: (2.0 * self.scale) * d}
        xp = namespace(d)
        return {self.layer: self.scale * self.power * xp.sign(d) * xp.abs(d) ** (self.power - 1.0)}

    def __str__(self) -> str:
        if self.title == "norm":
            return f"norm({self.power:g}, {self.layer!r}, {self.centre:g})"
        return f"{self.title}({self.layer!r})"


def layer(name: str) -> Objective:
    """The sum of squares of a whole layer: DeepDream's objective (Mordvintsev et al. 2015)."""
    return PowerSum(name)


def norm(alpha: float = 2.0, layer: str = INPUT, centre: float = 0.0) -> Objective:
    """sum |x - centre|^alpha, Mahendran and Vedaldi's alpha-norm (2015, section 2), of the image or of a layer.

    alpha = 1 is the L1 norm, 2 the squared L2 norm. The paper subtracts the mean from its images: for images in [0, 1]
    take `centre=0.5`.
    """
    return PowerSum(layer, power=float(alpha), title="norm", centre=float(centre))


def match(layer: str, activation: Any) -> Objective:
    """Half the squared distance to an activation: Gatys et al. 2016, equation 1. To minimise it, subtract it.

    `activation` is (1, ...) for all images or (N, ...), as `Model.forward` gives it.
    """
    return PowerSum(layer, reference=activation, scale=0.5, title="match")
