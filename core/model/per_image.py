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
    rows = [[n] for n in range(x.shape[0])]
    return _joined([model._forward(_row(x, row), capture, _rows(replace, row)) for row in rows], rows)


def vjp(
    model: BackendModel, x: Array, cotangents: Named, wrt: tuple[str, ...], capture: tuple[str, ...], replace: Named
) -> Pullback:
    """As `Model._vjp`."""
    if not one_by_one(model, x):
        return model._vjp(x, cotangents, wrt, capture, replace)
    rows = _together(model, x.shape[0])
    pulls = [model._vjp(_row(x, row), _rows(cotangents, row), wrt, capture, _rows(replace, row)) for row in rows]
    return Pullback(
        _joined([each.gradients for each in pulls], rows), _joined([each.activations for each in pulls], rows)
    )


def linearize(
    model: BackendModel, x: Array, capture: tuple[str, ...], wrt: tuple[str, ...], replace: Named
) -> Linearization:
    """As `Model._linearize`."""
    if not one_by_one(model, x):
        return model._linearize(x, capture, wrt, replace)
    rows = _together(model, x.shape[0])
    return _SeparateLinearizations(
        [model._linearize(_row(x, row), capture, wrt, _rows(replace, row)) for row in rows], rows
    )


class _SeparateLinearizations(Linearization):
    """The linearisations of single images, or pairs of an image and its reference, as one."""

    def __init__(self, parts: Sequence[Linearization], rows: Sequence[list[int]]) -> None:
        self._parts, self._at = parts, rows
        self.activations = _joined([part.activations for part in parts], rows)

    def vjp(self, cotangents: Named) -> Named:
        parts = zip(self._parts, self._at, strict=True)
        return _joined([part.vjp(_rows(cotangents, row)) for part, row in parts], self._at)

    def last_vjp(self, cotangents: Named) -> Named:
        parts = zip(self._parts, self._at, strict=True)
        return _joined([part.last_vjp(_rows(cotangents, row)) for part, row in parts], self._at)

    def close(self) -> None:
        for part in self._parts:
            part.close()


def _together(model: BackendModel, count: int) -> list[list[int]]:
    """The rows of a batch that gradients need in one pass: each alone, or an image with its reference."""
    half = count // 2
    return [[n, n + half] for n in range(half)] if model.rules.slope == "secant" else [[n] for n in range(count)]


def _row(values: Array, row: Sequence[int]) -> Array:
    parts = [values[n : n + 1, ...] for n in row]
    return namespace(values).concat(parts, axis=0) if len(parts) > 1 else parts[0]


def _rows(values: Named, row: Sequence[int]) -> dict[str, Array]:
    return {name: _row(each, row) for name, each in values.items()}


def _joined(parts: Sequence[Named], rows: Sequence[list[int]]) -> dict[str, Array]:
    """The parts' arrays as one batch, each row at its place."""
    place = {n: (part, k) for part, row in enumerate(rows) for k, n in enumerate(row)}
    order = [place[n] for n in range(len(place))]
    return {
        name: namespace(parts[0][name]).concat([parts[part][name][k : k + 1, ...] for part, k in order], axis=0)
        for name in parts[0]
    }
