"""A network at one batch of images, its products computed by functions that run the forward pass again."""

from collections.abc import Mapping

from crosslens.arrays import Array, as_numpy
from crosslens.model import Linearization, Model
from crosslens.model.linearization import zeros_at

__all__ = ["Recomputed"]


class Recomputed(Linearization):
    """Activations from one traced function, products from another that runs the forward pass again.

    An eager tape over the network costs four times as much as both.
    """

    def __init__(
        self,
        model: Model,
        x: Array,
        capture: tuple[str, ...],
        wrt: tuple[str, ...],
        replace: Mapping[str, Array],
    ) -> None:
        self._model, self._x, self._wrt, self._replace = model, x, wrt, replace
        self.activations = model._forward(x, capture, replace) if capture else {}

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Gradients at the `wrt` layers; zeros for no cotangents."""
        if not cotangents:
            return zeros_at(self._model._forward, as_numpy(self._x), self._wrt, (), self._replace).gradients
        return self._model._vjp(self._x, cotangents, self._wrt, (), self._replace).gradients
