"""The contract of linear operators and differentiable maps: the value, and the exact way of a gradient back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..arrays import Array
from ..errors import ImageError, ParameterError

__all__ = ["VJP", "Chain", "Composition", "Differentiable", "Identity", "Operator", "Size", "check_size"]

VJP: TypeAlias = Callable[[Array], Array]
"""From the gradient at a step's result to the gradient at what went into it."""
Size: TypeAlias = tuple[int, int]
"""(H, W) in pixels."""


class Differentiable(ABC):
    """A differentiable map of arrays; `a >> b` runs `a`, then `b`."""

    @abstractmethod
    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The result at `x`, and the transposed derivative there as a function."""

    def apply(self, x: Array) -> Array:
        """The result at `x` alone."""
        return self.linearize(x)[0]

    def inverse(self, y: Array) -> Array:
        """Some x with apply(x) = y, or as near to y as this step comes.

        Raises:
            ParameterError: this step cannot be turned back.
        """
        raise ParameterError(f"{type(self).__name__} cannot be turned back: start from noise, not from an image")

    def __rshift__(self, after: "Differentiable") -> "Differentiable":
        return Chain((self, after))


class Operator(Differentiable):
    """An affine map, apply(x) = A x + b (b is zero unless the class says otherwise), with adjoint(y) = A' y exactly.

    That is <apply(x) - apply(0), y> = <x, adjoint(y)> for all x and y.
    """

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """A x + b."""

    @abstractmethod
    def adjoint(self, y: Array) -> Array:
        """A' y: where each element of y came from."""

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The result, and the adjoint, which is the same everywhere."""
        return self.apply(x), self.adjoint

    def __rshift__(self, after: Differentiable) -> Differentiable:
        return Composition((self, after)) if isinstance(after, Operator) else Chain((self, after))


@dataclass(frozen=True)
class Chain(Differentiable):
    """Steps one after the other."""

    steps: tuple[Differentiable, ...]

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """Forward through all; the pulls run in reverse order."""
        pulls = []
        for step in self.steps:
            x, pull = step.linearize(x)
            pulls.append(pull)

        def back(dy: Array) -> Array:
            for pull in reversed(pulls):
                dy = pull(dy)
            return dy

        return x, back

    def inverse(self, y: Array) -> Array:
        """Each step's inverse, the last step first."""
        for step in reversed(self.steps):
            y = step.inverse(y)
        return y


@dataclass(frozen=True)
class Composition(Operator):
    """Operators one after the other: again an operator."""

    operators: tuple[Operator, ...]

    def apply(self, x: Array) -> Array:
        """The first operator first."""
        for operator in self.operators:
            x = operator.apply(x)
        return x

    def adjoint(self, y: Array) -> Array:
        """The adjoints in reverse order."""
        for operator in reversed(self.operators):
            y = operator.adjoint(y)
        return y

    def inverse(self, y: Array) -> Array:
        """Each operator's inverse, the last operator first."""
        for operator in reversed(self.operators):
            y = operator.inverse(y)
        return y


class Identity(Operator):
    """The operator that changes nothing."""

    def apply(self, x: Array) -> Array:
        """`x` itself."""
        return x

    def adjoint(self, y: Array) -> Array:
        """`y` itself."""
        return y

    def inverse(self, y: Array) -> Array:
        """`y` itself."""
        return y


def check_size(operator: Operator, x: Array, size: Size) -> None:
    """Refuse an array of another (H, W) than an operator was made for.

    Raises:
        ImageError: with both sizes.
    """
    if tuple(x.shape[-2:]) != tuple(size):
        raise ImageError(f"{type(operator).__name__} was made for {tuple(size)} pixels, not {tuple(x.shape[-2:])}")
