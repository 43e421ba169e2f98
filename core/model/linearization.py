"""A network at one batch of images: products with its Jacobian."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from array_api_compat import device

from ..arrays import Array, like, namespace
from ..errors import LayerError
from .layer import ABSORBED, INPUT

__all__ = [
    "Linearization",
    "NamedLinearization",
    "Pullback",
    "add_at_input",
    "inner_names",
    "sum_by_layer",
    "zeros_at",
]


@dataclass(frozen=True)
class Pullback:
    """What `Model.vjp` returns: gradients by layer of `wrt`, activations by layer of `capture`."""

    gradients: Mapping[str, Array]
    activations: Mapping[str, Array] = field(default_factory=dict)


class Linearization(ABC):
    """A network at one batch of images: its activations, and products with its Jacobian until closed."""

    activations: Mapping[str, Array]

    @property
    def inside(self) -> Mapping[str, Array]:
        """The same activations where the network computes, for objectives to be read there without a copy.

        A backend whose own arrays follow the array API overrides it, and then holds `INPUT` too. `vjp` takes
        cotangents of either kind.
        """
        return self.activations

    @abstractmethod
    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """Gradients at the `wrt` layers for cotangents at captured layers; can be called again until closed.

        No cotangents at all give zeros.
        """

    def last_vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        """As `vjp`, after which nothing is asked: a backend may let go of what the backward pass needs on its way."""
        return self.vjp(cotangents)

    def close(self) -> None:  # noqa: B027 - most backends hold nothing that the garbage collector does not free
        """Let go of what the backward pass needs. Called on leaving a `with` block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class NamedLinearization(Linearization):
    """A backend's linearisation under the names that were asked for, with `INPUT` as a layer."""

    def __init__(self, inner: Linearization, x: Array, names: Mapping[str, str], wrt: Mapping[str, str]) -> None:
        self._inner, self._names, self._wrt = inner, names, wrt
        activations = {**inner.activations, INPUT: x}
        self._values = activations
        self.activations = {asked: activations[name] for asked, name in names.items()}

    @property
    def inside(self) -> Mapping[str, Array]:
        """The backend's own, under the names that were asked for."""
        activations = {INPUT: self._values[INPUT], **self._inner.inside}
        return {asked: activations[name] for asked, name in self._names.items()}

    def vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        return self._gradients(cotangents, self._inner.vjp)

    def last_vjp(self, cotangents: Mapping[str, Array]) -> Mapping[str, Array]:
        return self._gradients(cotangents, self._inner.last_vjp)

    def _gradients(
        self, cotangents: Mapping[str, Array], pull: Callable[[Mapping[str, Array]], Mapping[str, Array]]
    ) -> Mapping[str, Array]:
        missing = [name for name in cotangents if name not in self._names]
        if missing:
            raise LayerError(f"cotangents at {missing}, but only {list(self._names)} were captured")
        given = sum_by_layer(cotangents, self._names)
        for name, value in given.items():
            _check_cotangent(name, value, self._values[name])
        at_input = given.pop(INPUT, None)
        gradients = add_at_input(pull(given), at_input)
        return {asked: gradients[name] for asked, name in self._wrt.items()}

    def close(self) -> None:
        self._inner.close()


def _check_cotangent(name: str, value: Array, activation: Array) -> None:
    if tuple(value.shape) != tuple(activation.shape):
        raise LayerError(
            f"the cotangent at {name!r} has shape {tuple(value.shape)}, its layer {tuple(activation.shape)}"
        )


def sum_by_layer(cotangents: Mapping[str, Array], names: Mapping[str, str]) -> dict[str, Array]:
    """Cotangents by canonical name; those of one layer under several names are added."""
    total: dict[str, Array] = {}
    for asked, value in cotangents.items():
        name = names[asked]
        total[name] = total[name] + value if name in total else value
    return total


def add_at_input(gradients: Mapping[str, Array], at_input: Array | None) -> Mapping[str, Array]:
    """Gradients with what a cotangent at `INPUT` itself adds to that of the image."""
    if at_input is None or INPUT not in gradients:
        return gradients
    return {**gradients, INPUT: gradients[INPUT] + like(at_input, gradients[INPUT])}


def inner_names(names: Iterable[str]) -> tuple[str, ...]:
    """Each name once, `INPUT` left out."""
    return tuple(dict.fromkeys(name for name in names if name != INPUT))


def zeros_at(
    forward: Callable[[Array, tuple[str, ...], Mapping[str, Array]], Mapping[str, Array]],
    x: Array,
    wrt: tuple[str, ...],
    capture: tuple[str, ...],
    replace: Mapping[str, Array],
) -> Pullback:
    """The pullback of no cotangent at all: zeros of the right shapes.

    Args:
        forward: the model's `_forward`.
        x: images (N, C, H, W).
        wrt: layers whose gradients are asked for; `INPUT` may be among them.
        capture: layers whose activations are asked for.
        replace: activations to run on from, by layer.
    """
    inner = tuple(dict.fromkeys((*capture, *inner_names(name for name in wrt if name != ABSORBED))))
    activations = {**(forward(x, inner, replace) if inner else {}), INPUT: x}
    xp = namespace(x)
    absorbed = {ABSORBED: xp.zeros((x.shape[0], 2), dtype=x.dtype, device=device(x))}
    zeros = {name: xp.zeros_like(values) for name, values in (activations | absorbed).items() if name in wrt}
    return Pullback(zeros, {name: activations[name] for name in capture})
