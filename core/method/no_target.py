"""The objective of a method for which `needs_target` is False: it reads no layer and has no gradient."""

from collections.abc import Mapping

from ..arrays import Array, namespace
from ..objective import Objective

__all__ = ["NO_TARGET"]


class _NoTarget(Objective):
    layers = frozenset()
    linear = True

    def value(self, activations: Mapping[str, Array]) -> Array:
        (any_layer, *_) = activations.values()
        return namespace(any_layer).zeros(any_layer.shape[0])

    def cotangents(self, activations: Mapping[str, Array]) -> dict[str, Array]:
        return {}

    def __str__(self) -> str:
        return "none"


NO_TARGET: Objective = _NoTarget()
