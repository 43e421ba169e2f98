"""The contract of an objective, and its algebra: sums, differences and multiples of objectives are objectives."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any, TypeAlias

from ..arrays import Array
from ..errors import TargetError
from ..model.base import INPUT, OUTPUT, Model
from ..printable import shown

__all__ = ["Activations", "Objective", "WeightedSum", "select_rows"]

Activations: TypeAlias = Mapping[str, Array]


class Objective(ABC):
    """A number per image, computed from activations, that knows its own derivative."""

    layers: frozenset[str]
    """The names of the layers whose activations it reads."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Dataclasses below that say what they are in words, say it as their representation too."""
        super().__init_subclass__(**keywords)
        if cls.__str__ is not object.__str__:
            cls.__repr__ = Objective.__repr__  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<Objective {self}>" if type(self).__str__ is not object.__str__ else object.__repr__(self)

    linear: bool = False
    """Whether the cotangents depend on the activations' shapes only: they are known before a forward pass."""

    @property
    def count(self) -> int | None:
        """The number of images that it is for, where it holds one item per image; None if it takes any number."""
        return None

    @abstractmethod
    def value(self, activations: Activations) -> Array:
        """The objective, shape (N,)."""

    @abstractmethod
    def cotangents(self, activations: Activations) -> dict[str, Array]:
        """The gradient of the sum of `value` over the batch, by layer, in the shape of its activations."""

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        """`value` and `cotangents` together; override where they share work."""
        return self.value(activations), self.cotangents(activations)

    def evaluated(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        """The former name of `value_and_cotangents`."""
        return self.value_and_cotangents(activations)

    def pinned(self, activations: Activations) -> "Objective":
        """The former name of `fix_choices`."""
        return self.fix_choices(activations)

    def select(self, start: int, stop: int) -> "Objective":
        """The same objective for images `start` to `stop` of the batch; override where it holds one item per image.

        One that was selected for a single image takes any number of variants of that image.
        """
        return self

    def fix_choices(self, activations: Activations) -> "Objective":
        """The same objective with its own choices, such as the predicted class, fixed to those made here."""
        return self

    def check(self, model: Model) -> None:
        """Refuse a model that does not have what this objective reads.

        Raises:
            LayerError, TargetError: which layer, channel or class is missing.
        """
        for name in self.layers:
            model.layer(name) if name not in {INPUT, OUTPUT} else None

    def for_model(self, model: Model) -> "Objective":
        """The same objective, told what this model's output means; override where that changes the objective."""
        return self

    constant: float = 0.0
    """What is added to the weighted sum of `_terms`."""

    def _terms(self) -> "tuple[tuple[float, Objective], ...]":
        """The objective as a weighted sum of objectives that are not sums themselves."""
        return ((1.0, self),)

    def __add__(self, other: "Objective | float") -> "Objective":
        if isinstance(other, Objective):
            return WeightedSum((*self._terms(), *other._terms()), self.constant + other.constant)
        return WeightedSum(self._terms(), self.constant + _number(other))

    __radd__ = __add__

    def __sub__(self, other: "Objective | float") -> "Objective":
        return self + (-other)

    def __rsub__(self, other: float) -> "Objective":
        return -self + other

    def __neg__(self) -> "Objective":
        return self * -1.0

    def __mul__(self, factor: float) -> "Objective":
        factor = _number(factor)
        return WeightedSum(tuple((factor * weight, term) for weight, term in self._terms()), factor * self.constant)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Objective":
        if not _number(divisor):
            raise TargetError(f"cannot divide {self} by 0")
        return self * (1.0 / _number(divisor))

    __array_ufunc__ = None
    """None: NumPy's numbers leave `number * objective` to `Objective.__rmul__`."""


@dataclass(frozen=True)
class WeightedSum(Objective):
    """A weighted sum of objectives, plus a constant."""

    terms: tuple[tuple[float, Objective], ...]
    constant: float = 0.0

    def _terms(self) -> tuple[tuple[float, Objective], ...]:
        return self.terms

    @property
    def layers(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset().union(*(term.layers for _, term in self.terms))

    @property
    def linear(self) -> bool:  # type: ignore[override]
        return all(term.linear for _, term in self.terms)

    @property
    def count(self) -> int | None:
        counts = {term.count for _, term in self.terms if term.count is not None}
        if len(counts) > 1:
            raise TargetError(
                f"the terms of {self} are for different numbers of images: {' and '.join(map(str, sorted(counts)))}"
            )
        return counts.pop() if counts else None

    def value(self, activations: Activations) -> Array:
        first, *rest = (weight * term.value(activations) for weight, term in self.terms)
        return self._with_constant(sum(rest, first))

    def _with_constant(self, value: Array) -> Array:
        return value + self.constant if self.constant else value

    def cotangents(self, activations: Activations) -> dict[str, Array]:
        return self._weighted_sum(term.cotangents(activations) for _, term in self.terms)

    def value_and_cotangents(self, activations: Activations) -> tuple[Array, dict[str, Array]]:
        pairs = [term.value_and_cotangents(activations) for _, term in self.terms]
        first, *rest = (weight * value for (weight, _), (value, _) in zip(self.terms, pairs, strict=True))
        return self._with_constant(sum(rest, first)), self._weighted_sum(cotangents for _, cotangents in pairs)

    def _weighted_sum(self, cotangents: Iterable[Mapping[str, Array]]) -> dict[str, Array]:
        """The cotangents of the terms, by layer, times the terms' weights and added up."""
        total: dict[str, Array] = {}
        for (weight, _), of_term in zip(self.terms, cotangents, strict=True):
            for name, cotangent in of_term.items():
                weighted = cotangent if weight == 1.0 else weight * cotangent
                total[name] = total[name] + weighted if name in total else weighted
        return total

    def select(self, start: int, stop: int) -> Objective:
        return self._each(lambda term: term.select(start, stop))

    def fix_choices(self, activations: Activations) -> Objective:
        return self._each(lambda term: term.fix_choices(activations))

    def for_model(self, model: Model) -> Objective:
        return self._each(lambda term: term.for_model(model))

    def _each(self, change: Callable[[Objective], Objective]) -> Objective:
        return WeightedSum(tuple((weight, change(term)) for weight, term in self.terms), self.constant)

    def check(self, model: Model) -> None:
        for _, term in self.terms:
            term.check(model)

    def __str__(self) -> str:
        texts = [str(term) if weight == 1 else f"{weight:g} * {term}" for weight, term in self.terms]
        return " + ".join([*texts, *([f"{self.constant:g}"] if self.constant else [])])


def _number(value: object) -> float:
    """A number of Python or of an array library as a float."""
    if isinstance(value, Objective | str | bool):
        what = value if isinstance(value, Objective) else shown(value)
        raise TargetError(f"an objective can be multiplied and divided by numbers only; {what} is not a number")
    if callable(value):
        raise TargetError("a function is no objective yet: crosslens.objective.function(f) makes it one, which adds up")
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise TargetError(f"an objective can be multiplied and divided by finite numbers only, not by {shown(value)}")
    return number


def select_rows(values: Array, start: int, stop: int) -> Array:
    """Rows `start` to `stop` of references (N, ...), one per image; None, and one for all (1, ...), as it is."""
    return values if values is None or values.shape[0] == 1 else values[start:stop, ...]
