"""Total variation: a prior on images (Mahendran and Vedaldi 2015, https://arxiv.org/abs/1412.0035)."""

from dataclasses import dataclass

from ..arrays import Array, namespace
from ..model.base import INPUT
from .algebra import Activations, Objective

__all__ = ["TotalVariation", "total_variation"]


@dataclass(frozen=True)
class TotalVariation(Objective):
    """Mahendran and Vedaldi 2015, section 2: sum ((x_right - x)^2 + (x_below - x)^2)^(beta / 2), over channels too."""

    beta: float = 2.0
    layer: str = INPUT

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def value(self, activations: Activations) -> Array:
        right, below = _differences(activations[self.layer])
        squares = right * right + below * below
        return namespace(right).sum(squares if self.beta == 2.0 else squares ** (self.beta / 2), axis=(1, 2, 3))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        x = activations[self.layer]
        xp = namespace(x)
        right, below = _differences(x)
        if self.beta != 2.0:
            squares = right * right + below * below
            flat = squares == 0  # for beta < 2 the power is singular there: the gradient is set to 0
            slope = xp.where(flat, xp.zeros_like(x), xp.where(flat, xp.ones_like(x), squares) ** (self.beta / 2 - 1))
            right, below = slope * right, slope * below
        from_left = xp.concat([xp.zeros_like(x[:, :, :, :1]), right[:, :, :, :-1]], axis=3)
        from_above = xp.concat([xp.zeros_like(x[:, :, :1, :]), below[:, :, :-1, :]], axis=2)
        return {self.layer: self.beta * (from_left - right + from_above - below)}

    def __str__(self) -> str:
        return f"total_variation({self.beta:g})"


def _differences(x: Array) -> tuple[Array, Array]:
    """Differences to the neighbour on the right and to the one below; 0 at the last column and the last row."""
    xp = namespace(x)
    right = xp.concat([x[:, :, :, 1:] - x[:, :, :, :-1], xp.zeros_like(x[:, :, :, :1])], axis=3)
    below = xp.concat([x[:, :, 1:, :] - x[:, :, :-1, :], xp.zeros_like(x[:, :, :1, :])], axis=2)
    return right, below


def total_variation(beta: float = 2.0, layer: str = INPUT) -> Objective:
    """Mahendran and Vedaldi's TV^beta (2015, section 2) of the image, or of a layer's maps."""
    return TotalVariation(float(beta), layer)
