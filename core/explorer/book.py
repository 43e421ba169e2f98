"""What a site is made of: a survey, its network, its images, and how much of them is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from ..data.source import Source
from ..errors import ParameterError, unknown_name
from ..model.base import Model
from ..result import Result
from ..survey.survey import Survey

__all__ = ["ALL", "Book", "Shown"]

ALL = "all"


@dataclass(frozen=True)
class Shown:
    """How much of a network a site shows; None for all."""

    units: int | None = 8
    """Units of each layer that get visualisations and attributions."""
    size: int = 112
    """Pixels of a visualisation's side."""
    steps: int = 64
    """Steps in which it is optimised."""
    pictures: int | None = 48
    """Images that get a page of their own."""
    maps: tuple[str, ...] = ("grad_cam", "guided_backprop", "integrated_gradients", "occlusion")
    """Methods whose maps a picture's page shows."""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Shown":
        """From what a user gives: "all", or a number; names of methods in a list or one text with commas.

        Raises:
            ParameterError: another option, or a value out of range.
        """
        known = {each.name for each in fields(cls)}
        for name in given:
            if name not in known:
                raise ParameterError(unknown_name("option", name, sorted(known), of="explore"))
        values = dict(given)
        for name in ("units", "pictures"):
            if name in values:
                values[name] = None if values[name] in {ALL, None} else _count(name, values[name], 0, " or 'all'")
        for name, least in (("size", 8), ("steps", 1)):
            if name in values:
                values[name] = _count(name, values[name], least)
        if "maps" in values:
            given_maps = values["maps"]
            values["maps"] = tuple(
                each.strip() for each in (given_maps.split(",") if isinstance(given_maps, str) else given_maps)
            )
        return cls(**values)


def _count(name: str, value: Any, least: int, others: str = "") -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ParameterError(f"{name} is {value!r}; give a whole number, at least {least}{others}")
    return value


@dataclass(frozen=True)
class Book:
    """Read by all parts of a site; none changes it."""

    model: Model
    survey: Survey
    source: Source | None
    """None where the images cannot be read again: then crops and maps are those that the survey holds."""
    shown: Shown
    name: str
    """Of the network, as a reader sees it."""
    asked: Sequence[str] = ()
    """Layers with pages of units where the survey has none."""
    only: tuple[str, int] | None = None
    """The layer and the unit whose page alone is asked for."""

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """By the name of a layer its id, the place in the network's order."""
        return {name: place for place, name in enumerate(self.model.layers)}

    def results(self, method: str) -> Mapping[str, Result]:
        """The survey's results of a method, by label; none where it was not run."""
        return {label: self.survey[label] for label in self.survey if self.survey.method_of(label) == method}

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """The layers with pages of units, in the network's order: those of which there are statistics or examples."""
        named: set[str] = set()
        for method in ("top_examples", "unit_statistics"):
            for result in self.results(method).values():
                named.update(_layers_of(result))
        return tuple(name for name in self.model.layers if name in (named or set(self.asked)))

    @cached_property
    def digest(self) -> str:
        """Of the network, its weights included."""
        return self.model.last_digest


def _layers_of(result: Any) -> tuple[str, ...]:
    return tuple(result.layers)
