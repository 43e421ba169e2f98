"""Running a network that mixes the images of a batch, or is random, on one image after another.

So what `Model.forward`, `vjp` and `linearize` give for an image never depends on the images beside it.
"""

from collections.abc import Mapping, Sequence

from ..arrays import Array, namespace
from .backend import BackendModel
from .linearization import Linearization, Pullback
from .repeatability import repeatability

__all__ = ["forward", "linearize", "one_by_one", "vjp"]

Named = Mapping[str, Array]


def one_by_one(model: BackendModel, x: Array) -> bool:
    """Whether images (N, ...) must each go through the network alone."""
    return x.shape[0] > 1 and repeatability(model).one_by_one


def forward(model: BackendModel, x: Array, capture: tuple[str, ...], replace: Named) -> Named:
    """As `Model._forward`; {} for no layers."""
    if not capture:
        return {}
    if not one_by_one(model, x):
        return model._forward(x, capture, replace)
    return _concatenated([model._forward(_row(x, n), capture, _rows(replace, n)) for n in range(x.shape[0])])


def vjp(
    model: BackendModel, x: Array, cotangents: Named, wrt: tuple[str, ...], capture: tuple[str, ...], replace: Named
) -> Pullback:
    """As `Model._vjp`."""
    if not one_by_one(model, x):
        return model._vjp(x, cotangents, wrt, capture, replace)
    pulls = [model._vjp(_row(x, n), _rows(cotangents, n), wrt, capture, _rows(replace, n)) for n in range(x.shape[0])]
    return Pullback(
        _concatenated([each.gradients for each in pulls]), _concatenated([each.activations for each in pulls])
    )


def linearize(
    model: BackendModel, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Named
) -> Linearization:
    """As `Model._linearize`."""
    if not one_by_one(model, x):
        return model._linearize(x, capture, wrt, replace)
    return _SeparateLinearizations(
        [model._linearize(_row(x, n), capture, wrt, _rows(replace, n)) for n in range(x.shape[0])]
    )


class _SeparateLinearizations(Linearization):
    """The linearisations of single images as one."""

    def __init__(self, parts: Sequence[Linearization]) -> None:
        self._parts = parts
        self.activations = _concatenated([part.activations for part in parts])

    def vjp(self, cotangents: Named) -> Named:
        return _concatenated([part.vjp(_rows(cotangents, n)) for n, part in enumerate(self._parts)])

    def last_vjp(self, cotangents: Named) -> Named:
        return _concatenated([part.last_vjp(_rows(cotangents, n)) for n, part in enumerate(self._parts)])

    def close(self) -> None:
        for part in self._parts:
            part.close()


def _row(values: Array, n: int) -> Array:
    return values[n : n + 1, ...]


def _rows(values: Named, n: int) -> dict[str, Array]:
    return {name: _row(each, n) for name, each in values.items()}


def _concatenated(parts: Sequence[Named]) -> dict[str, Array]:
    return {name: namespace(parts[0][name]).concat([part[name] for part in parts], axis=0) for name in parts[0]}
