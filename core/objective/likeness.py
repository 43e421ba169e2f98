"""Similarity of a layer to given activations: the objectives of caricatures and of guided DeepDream."""

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import LayerError, ParameterError
from .algebra import Activations, Objective, select_rows

__all__ = ["Likeness", "Nearest", "likeness", "nearest"]


@dataclass(frozen=True)
class Likeness(Objective):
    """<a, t> cos(a, t)^power of a whole layer a and a reference t; a cosine below `minimum_cosine` counts as that."""

    layer: str
    reference: Any
    power: float = 2.0
    minimum_cosine = 0.1

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _parts(self, activations: Activations) -> tuple[Array, Array, Array, Array]:
        """<a, t>, the cosine, t, and a divided by its squared length."""
        a = activations[self.layer]
        xp, t = namespace(a), like(self.reference, a)
        if t.ndim != a.ndim or t.shape[0] not in {1, a.shape[0]} or t.shape[1:] != a.shape[1:]:
            raise LayerError(f"the reference of {self} has shape {tuple(t.shape)}; the layer gives {tuple(a.shape)}")
        axes = tuple(range(1, a.ndim))
        dot = xp.sum(a * t, axis=axes, keepdims=True)
        squares = xp.sum(a * a, axis=axes, keepdims=True) + 1e-12
        length = xp.sqrt(squares * (xp.sum(t * t, axis=axes, keepdims=True) + 1e-12))
        return dot, dot / length, t, a / squares

    def value(self, activations: Activations) -> Array:
        dot, cosine, _, _ = self._parts(activations)
        xp = namespace(dot)
        return xp.reshape(dot * xp.clip(cosine, min=self.minimum_cosine) ** self.power, (-1,))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        dot, cosine, t, unit = self._parts(activations)
        xp, p = namespace(dot), self.power
        varies = xp.where(cosine > self.minimum_cosine, xp.ones_like(cosine), xp.zeros_like(cosine))
        weight = xp.clip(cosine, min=self.minimum_cosine) ** p
        return {self.layer: weight * ((1 + p * varies) * t - p * varies * dot * unit)}

    def select(self, start: int, stop: int) -> Objective:
        return replace(self, reference=select_rows(self.reference, start, stop))

    def __str__(self) -> str:
        return f"likeness({self.layer!r})"


@dataclass(frozen=True)
class Nearest(Objective):
    """sum over positions p of max over positions q of <a_p, t_q>, a the layer and t the guide's activation."""

    layer: str
    guide: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _parts(self, activations: Activations) -> tuple[Array, Array]:
        """a as (N, P, C), and at each position the guide's activation with the largest product, (N, P, C)."""
        a = activations[self.layer]
        xp, t = namespace(a), like(self.guide, a)
        if a.ndim != 4 or t.ndim != 4 or t.shape[:2] != (1, a.shape[1]):
            raise LayerError(
                f"the guide of {self} has shape {tuple(t.shape)}; the layer gives {tuple(a.shape)}: both must be maps "
                "(N, C, H, W) with as many channels, the guide's of one image"
            )
        flat = xp.matrix_transpose(xp.reshape(a, (*a.shape[:2], -1)))
        guide = xp.matrix_transpose(xp.reshape(t[0, ...], (t.shape[1], -1)))
        rows = xp.reshape(flat, (-1, a.shape[1]))
        products = rows @ xp.matrix_transpose(guide)
        nearest_rows = xp.take(guide, xp.argmax(products, axis=1), axis=0)
        return flat, xp.reshape(nearest_rows, flat.shape)

    def value(self, activations: Activations) -> Array:
        flat, nearest_rows = self._parts(activations)
        return namespace(flat).sum(flat * nearest_rows, axis=(1, 2))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        _, nearest_rows = self._parts(activations)
        xp = namespace(nearest_rows)
        return {self.layer: xp.reshape(xp.matrix_transpose(nearest_rows), activations[self.layer].shape)}

    def __str__(self) -> str:
        return f"nearest({self.layer!r})"


def likeness(layer: str, activation: Any, power: float = 2.0) -> Objective:
    """The dot product with an activation times the cosine's power: the objective of Lucid's caricatures.

    <a, t> cos(a, t)^power, where cosines below 0.1 count as 0.1, so that an image without likeness has a gradient too.
    `activation` is (1, ...) for all images or (N, ...), as `Model.forward` gives it.

    Raises:
        ParameterError: the power is negative.
    """
    if not power >= 0:
        raise ParameterError(f"power is {power}; it must be a number, at least 0")
    return Likeness(layer, activation, float(power))


def nearest(layer: str, guide: Any) -> Objective:
    """Mordvintsev et al. 2015, "Controlling dreams": each position's largest dot product with one of the guide's.

    `guide` is the layer's activation for one picture, (1, C, h, w), of any size.
    """
    return Nearest(layer, guide)
