"""What a site is made of: a survey, its network, its images, and how much of them is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..data.source import Source
from ..model.base import Model
from ..result import Result
from ..survey.survey import Survey

__all__ = ["Book", "Shown"]


@dataclass(frozen=True)
class Shown:
    """How much of a network a site shows; None for all."""

    units: int | None = 8
    """Units of each layer that get visualisations and attributions."""
    size: int = 112
    """Pixels of a visualisation's side."""
    steps: int = 64
    """Steps in which it is optimised."""
    pictures: int | None = 64
    """Images that get a page of their own."""
    maps: tuple[str, ...] = ("grad_cam", "guided_backprop", "integrated_gradients", "occlusion")
    """Methods whose maps a picture's page shows."""


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
        return tuple(name for name in self.model.layers if name in named)

    @cached_property
    def digest(self) -> str:
        """Of the network, its weights included."""
        return self.model.last_digest


def _layers_of(result: Any) -> tuple[str, ...]:
    return tuple(result.layers)
