"""Diversity of a batch (Olah et al. 2017, https://distill.pub/2017/feature-visualization, "Diversity")."""

from dataclasses import dataclass

from ..arrays import Array, namespace
from ..errors import TargetError
from .algebra import Activations, Objective
from .gram import flat_maps

__all__ = ["Diversity", "diversity"]


@dataclass(frozen=True)
class Diversity(Objective):
    """The value of image a: minus the mean over the other images b of cos(G_a, G_b), G the layer's Gram matrices.

    From -1, all images alike, to 0, nothing in common (the Gram matrix of rectified maps has no negative entry). A
    single image has the value 0.
    """

    layer: str

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def value(self, activations: Activations) -> Array:
        _, _, _, cosines = _gram_cosines(activations[self.layer])
        return -namespace(cosines).sum(cosines, axis=1) / _others(cosines)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        """d cos(G_a, G_b) / dG_a = (G_b / |G_b| - cos G_a / |G_a|) / |G_a|; each pair counts for both of its images."""
        maps = activations[self.layer]
        flat, unit, lengths, cosines = _gram_cosines(maps)
        xp = namespace(maps)
        pull = xp.tensordot(_off_diagonal(cosines), unit, axes=((1,), (0,)))
        pull = pull - xp.sum(cosines, axis=1)[:, None, None] * unit
        gradient = (-4.0 / _others(cosines)) * (pull / lengths[:, None, None]) @ flat
        return {self.layer: xp.matrix_transpose(gradient) if maps.ndim == 3 else xp.reshape(gradient, maps.shape)}

    def select(self, start: int, stop: int) -> Objective:
        raise TargetError(f"{self} compares the images of a batch with each other, so a batch must not be split")

    def __str__(self) -> str:
        return f"diversity({self.layer!r})"


def _gram_cosines(maps: Array) -> tuple[Array, Array, Array, Array]:
    """Maps (N, C, positions), normalised Gram matrices, their norms (N,), cosines (N, N) with a diagonal of 0."""
    flat = flat_maps(maps)
    xp = namespace(flat)
    grams = flat @ xp.matrix_transpose(flat)
    lengths = xp.sqrt(xp.sum(grams * grams, axis=(1, 2)))
    lengths = xp.where(
        lengths > 0, lengths, xp.ones_like(lengths)
    )  # a layer that is zero everywhere has cosine 0 with all others
    unit = grams / lengths[:, None, None]
    rows = xp.reshape(unit, (unit.shape[0], -1))
    cosines = rows @ xp.matrix_transpose(rows)
    return flat, unit, lengths, cosines * _off_diagonal(cosines)


def _off_diagonal(square: Array) -> Array:
    xp = namespace(square)
    return 1.0 - xp.eye(square.shape[0], dtype=square.dtype, device=square.device)


def _others(square: Array) -> float:
    return float(max(square.shape[0] - 1, 1))


def diversity(layer: str) -> Objective:
    """How different the images of a batch are at a layer, -1 (alike) to 0; add it to a target to diversify them."""
    return Diversity(layer)
