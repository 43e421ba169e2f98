"""How much a layer is like given activations: the objectives of caricatures and of guided dreams."""

from dataclasses import dataclass, replace
from typing import Any

from ..arrays import Array, like, namespace
from ..errors import LayerError, ParameterError
from .algebra import Activations, Objective, select_rows

__all__ = ["Likeness", "Nearest", "likeness", "nearest"]


@dataclass(frozen=True)
class Likeness(Objective):
    """<a, t> cos(a, t)^power over a whole layer a and a reference t; the cosine counts as `least` where it is less."""

    layer: str
    reference: Any
    power: float = 2.0
    least = 0.1

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _parts(self, activations: Activations) -> tuple[Array, Array, Array, Array]:
        """<a, t>, the cosine, t, and a divided by its squared length."""
        a = activations[self.layer]
        xp, t = namespace(a), like(self.reference, a)
        if t.ndim != a.ndim or t.shape[0] not in {1, a.shape[0]} or t.shape[1:] != a.shape[1:]:
            raise LayerError(f"{self} holds {tuple(t.shape)}, the layer gives {tuple(a.shape)}")
        axes = tuple(range(1, a.ndim))
        dot = xp.sum(a * t, axis=axes, keepdims=True)
        squares = xp.sum(a * a, axis=axes, keepdims=True) + 1e-12
        length = xp.sqrt(squares * (xp.sum(t * t, axis=axes, keepdims=True) + 1e-12))
        return dot, dot / length, t, a / squares

    def value(self, activations: Activations) -> Array:
        dot, cosine, _, _ = self._parts(activations)
        xp = namespace(dot)
        return xp.reshape(dot * xp.clip(cosine, min=self.least) ** self.power, (-1,))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        dot, cosine, t, unit = self._parts(activations)
        xp, p = namespace(dot), self.power
        steep = xp.where(cosine > self.least, xp.ones_like(cosine), xp.zeros_like(cosine))
        weight = xp.clip(cosine, min=self.least) ** p
        return {self.layer: weight * ((1 + p * steep) * t - p * steep * dot * unit)}

    def select(self, start: int, stop: int) -> Objective:
        return replace(self, reference=select_rows(self.reference, start, stop))

    def __str__(self) -> str:
        return f"likeness({self.layer!r})"


@dataclass(frozen=True)
class Nearest(Objective):
    """sum over positions p of max over q of <a_p, t_q>: each place grows what of t it is most like already."""

    layer: str
    guide: Any

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer})

    def _parts(self, activations: Activations) -> tuple[Array, Array]:
        """a as (N, P, C) and, for each position, the place of the guide that fits best, (N, P, C)."""
        a = activations[self.layer]
        xp, t = namespace(a), like(self.guide, a)
        if a.ndim != 4 or t.ndim != 4 or t.shape[:2] != (1, a.shape[1]):
            raise LayerError(f"{self} holds {tuple(t.shape)}, the layer gives {tuple(a.shape)}; both must be maps")
        flat = xp.matrix_transpose(xp.reshape(a, (*a.shape[:2], -1)))
        of_guide = xp.matrix_transpose(xp.reshape(t[0, ...], (t.shape[1], -1)))
        rows = xp.reshape(flat, (-1, a.shape[1]))
        fits = rows @ xp.matrix_transpose(of_guide)
        chosen = xp.take(of_guide, xp.argmax(fits, axis=1), axis=0)
        return flat, xp.reshape(chosen, flat.shape)

    def value(self, activations: Activations) -> Array:
        flat, chosen = self._parts(activations)
        return namespace(flat).sum(flat * chosen, axis=(1, 2))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        _, chosen = self._parts(activations)
        xp = namespace(chosen)
        return {self.layer: xp.reshape(xp.matrix_transpose(chosen), activations[self.layer].shape)}

    def __str__(self) -> str:
        return f"nearest({self.layer!r})"


def likeness(layer: str, activation: Any, power: float = 2.0) -> Objective:
    """The dot product with an activation times the cosine's power: the objective of Lucid's caricatures.

    <a, t> cos(a, t)^power, the cosine counted as at least 0.1, so that a start that is unlike is drawn on. `activation`
    has a batch axis, as `Model.forward` gives it: one for all images, or one per image.

    Raises:
        ParameterError: the power is negative.
    """
    if not power >= 0:
        raise ParameterError(f"the power of a cosine is {power}; it must be 0 or more")
    return Likeness(layer, activation, float(power))


def nearest(layer: str, guide: Any) -> Objective:
    """Mordvintsev et al. 2015, "Controlling dreams": each position's largest dot product with any of the guide's.

    `guide` is that layer's activation of one picture, (1, C, h, w), of any size.
    """
    return Nearest(layer, guide)
