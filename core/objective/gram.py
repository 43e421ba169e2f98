"""Gram matrices: the style of Gatys et al. 2016 (https://doi.org/10.1109/CVPR.2016.265)."""

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import LayerError
from .algebra import Activations, Objective, select_rows

__all__ = ["Gram", "flat_maps", "gram", "gram_matrix"]


@dataclass(frozen=True)
class Gram(Objective):
    """Gatys et al. 2016, equation 4: sum (G - A)^2 / (4 C^2 M^2), G the layer's Gram matrix, A that of the style."""

    layer: str
    target: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _parts(self, activations: Activations) -> tuple[Array, Array, float]:
        maps = activations[self.layer]
        flat = flat_maps(maps)
        difference = gram_matrix(maps) - like(self.target, maps)
        return flat, difference, 1.0 / (4.0 * float(flat.shape[1]) ** 2 * float(flat.shape[2]) ** 2)

    def value(self, activations: Activations) -> Array:
        _, difference, factor = self._parts(activations)
        return factor * namespace(difference).sum(difference * difference, axis=(1, 2))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self.value_and_cotangents(activations)[1]

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        """Both from one computation of the Gram matrices."""
        flat, difference, factor = self._parts(activations)
        maps = activations[self.layer]
        xp = namespace(maps)
        gradient = (4.0 * factor * difference) @ flat
        gradient = xp.matrix_transpose(gradient) if maps.ndim == 3 else xp.reshape(gradient, maps.shape)
        return factor * xp.sum(difference * difference, axis=(1, 2)), {self.layer: gradient}

    def select(self, start: int, stop: int) -> Objective:
        return replace(self, target=select_rows(self.target, start, stop))

    def __str__(self) -> str:
        return f"gram({self.layer!r})"


def flat_maps(maps: Array) -> Array:
    """(N, C, H, W) as (N, C, H W); tokens (N, T, D) as (N, D, T).

    Raises:
        LayerError: a layer of vectors.
    """
    xp = namespace(maps)
    if maps.ndim == 3:
        return xp.matrix_transpose(maps)
    if maps.ndim != 4:
        raise LayerError(
            f"a Gram matrix needs maps (N, C, H, W) or tokens (N, T, D); this layer gives {tuple(maps.shape)}"
        )
    return xp.reshape(maps, (maps.shape[0], maps.shape[1], -1))


def gram_matrix(maps: Array) -> Array:
    """Gatys et al. 2016, equation 3: inner products of channels over positions, (N, C, C), not normalised."""
    flat = flat_maps(maps)
    return flat @ namespace(flat).matrix_transpose(flat)


def gram(layer: str, target: Any) -> Objective:
    """The squared distance to a Gram matrix: Gatys et al. 2016, equation 4. To minimise it, subtract it.

    `target` is (1, C, C) for all images or (N, C, C), as `gram_matrix` gives it.
    """
    return Gram(layer, target)
