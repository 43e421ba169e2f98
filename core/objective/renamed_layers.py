"""An objective of one model, read from another model's layers."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..arrays import Array
from .algebra import Activations, Objective

__all__ = ["RenamedLayers"]


@dataclass(frozen=True)
class RenamedLayers(Objective):
    """The same objective where each layer that it reads goes by another name."""

    of: Objective
    names: Mapping[str, str]
    """By the name that `of` reads, the name in the other model; those that are the same may be missing."""

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
        return self.of.value(self._read(activations))

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self._written(self.of.cotangents(self._read(activations)))

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        value, cotangents = self.of.value_and_cotangents(self._read(activations))
        return value, self._written(cotangents)

    def select(self, start: int, stop: int) -> Objective:
        return RenamedLayers(self.of.select(start, stop), self.names)

    def fix_choices(self, activations: Activations) -> Objective:
        return RenamedLayers(self.of.fix_choices(self._read(activations)), self.names)

    def _read(self, activations: Activations) -> Activations:
        return {name: activations[self.names.get(name, name)] for name in self.of.layers}

    def _written(self, cotangents: Mapping[str, Array]) -> dict[str, Array]:
        return {self.names.get(name, name): values for name, values in cotangents.items()}

    def __str__(self) -> str:
        text = str(self.of)
        for own, other in self.names.items():
            text = text.replace(repr(own), repr(other))
        return text
