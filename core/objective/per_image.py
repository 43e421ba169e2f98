"""An objective of its own for each image of a batch, so that one run makes several pictures (Lucid's `batch=`)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..arrays import Array, namespace
from ..errors import TargetError
from ..model.base import Model
from .algebra import Activations, Objective
from .class_score import ClassScore
from .unit import channel

__all__ = ["Each", "class_scores", "each", "interpolate"]


@dataclass(frozen=True)
class Each(Objective):
    """Objective n for image n: value n is `parts[n]` of image n alone."""

    parts: tuple[Objective, ...]

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(part.layers for part in self.parts))

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return all(part.linear for part in self.parts)

    @property
    def count(self) -> int:
        return len(self.parts)

    def _parts_with_images(self, activations: Activations) -> list[tuple[Objective, Activations]]:
        """Each part with the activations of its image."""
        counts = {activations[name].shape[0] for name in self.layers}
        if counts != {len(self.parts)}:
            raise TargetError(f"{len(self.parts)} objectives for {max(counts)} images; give one for each image")
        return [
            (part, {name: activations[name][n : n + 1, ...] for name in part.layers})
            for n, part in enumerate(self.parts)
        ]

    def value(self, activations: Activations) -> Array:
        values = [part.value(here) for part, here in self._parts_with_images(activations)]
        return namespace(*values).concat(values, axis=0)

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        cotangents = [part.cotangents(here) for part, here in self._parts_with_images(activations)]
        total = {}
        for name in self.layers:
            xp = namespace(activations[name])
            zeros = xp.zeros_like(activations[name][:1, ...])
            total[name] = xp.concat([each.get(name, zeros) for each in cotangents], axis=0)
        return total

    def select(self, start: int, stop: int) -> Objective:
        parts = self.parts[start:stop]
        return parts[0] if len(parts) == 1 else Each(parts)

    def fix_choices(self, activations: Activations) -> Objective:
        fixed = (part.fix_choices(here) for part, here in self._parts_with_images(activations))
        return Each(tuple(part.select(0, 1) for part in fixed))  # for any number of variants of its image

    def for_model(self, model: Model) -> Objective:
        return Each(tuple(part.for_model(model) for part in self.parts))

    def check(self, model: Model) -> None:
        for part in self.parts:
            part.check(model)

    def __str__(self) -> str:
        return " | ".join(map(str, self.parts))


def each(objectives: Iterable[Objective]) -> Objective:
    """Objective n for image n.

    Raises:
        TargetError: there are none, or one of them is itself for several images.
    """
    parts = tuple(objectives)
    if not parts or any(part.count is not None for part in parts):
        raise TargetError(
            f"each(...) takes at least one objective, each for a single image; {len(parts)} were given"
            + "".join(f", {part} is for {part.count} images" for part in parts if part.count is not None)
        )
    return Each(parts)


def class_scores(objective: Objective) -> list[ClassScore]:
    """The class scores among the terms of an objective."""
    if isinstance(objective, Each):
        return [value for part in objective.parts for value in class_scores(part)]
    return [term for _, term in objective._terms() if isinstance(term, ClassScore)]


def interpolate(layer: str, a: int, b: int, t: float | Sequence[float]) -> Objective:
    """(1 - t) * channel a + t * channel b of a layer (Olah et al. 2017, "Interaction between neurons").

    Args:
        layer: the layer that has both channels.
        a: the channel at t = 0.
        b: the channel at t = 1.
        t: one number; or several, one for each image of a batch that leads from one channel to the other.
    """
    shares = tuple(map(float, t)) if isinstance(t, Sequence) else (float(t),)
    strip = [(1.0 - share) * channel(layer, a) + share * channel(layer, b) for share in shares]
    return each(strip) if isinstance(t, Sequence) else strip[0]
