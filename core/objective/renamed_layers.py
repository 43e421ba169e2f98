"""An objective of one model on another model, whose layers have other names."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..arrays import Array
from .algebra import Activations, Objective

__all__ = ["RenamedLayers"]


@dataclass(frozen=True)
class RenamedLayers(Objective):
    """The objective `of`, with other names for the layers that it reads."""

    of: Objective
    names: Mapping[str, str]
    """From the names that `of` reads to those of the other model; equal names may be left out."""

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset(self.names.get(name, name) for name in self.of.layers)

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return self.of.linear

    @property
    def count(self) -> int | None:
        return self.of.count

    def value(self, activations: Activations) -> Array:
        return self.of.value(self._by_old_name(activations))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self._by_new_name(self.of.cotangents(self._by_old_name(activations)))

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        value, cotangents = self.of.value_and_cotangents(self._by_old_name(activations))
        return value, self._by_new_name(cotangents)

    def select(self, start: int, stop: int) -> Objective:
        return RenamedLayers(self.of.select(start, stop), self.names)

    def fix_choices(self, activations: Activations) -> Objective:
        return RenamedLayers(self.of.fix_choices(self._by_old_name(activations)), self.names)

    def _by_old_name(self, activations: Activations) -> Activations:
        return {name: activations[self.names.get(name, name)] for name in self.of.layers}

    def _by_new_name(self, cotangents: Mapping[str, Array]) -> dict[str, Array]:
        return {self.names.get(name, name): values for name, values in cotangents.items()}

    def __str__(self) -> str:
        text = str(self.of)
        for own, other in self.names.items():
            text = text.replace(repr(own), repr(other))
        return text
