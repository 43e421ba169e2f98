"""Mean attribution: where a method finds what matters, on average over a data set or over each of its classes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import DatasetMethod, Method, param
from crosslens.method.base import makes_pictures
from crosslens.model import Model
from crosslens.objective.target import resolve_target
from crosslens.plugins import hookimpl
from crosslens.plugins import method as named
from crosslens.sheets.mean_maps import MeanMaps

from ._map_moments import LABEL, PREDICTED, SCALES, AttributionMaps, MapMoments


@dataclass(frozen=True, kw_only=True)
class MeanAttribution(DatasetMethod):
    """An attribution method's maps, averaged over images.

    The maps of an attribution method, averaged over all images or over each class, with the deviation at each position.

    Values of single pixels, as of gradients, are averaged as magnitudes, added up over channels: as they are drawn.
    """

    name = "mean_attribution"
    example: ClassVar[Mapping[str, Any]] = {"attribution": "gradient"}
    attribution: str | Method = param("grad_cam", "the method averaged: its name, or in Python a configured method")
    target: Any = param(
        PREDICTED, "what is explained: predicted, each image's class; label, the class of its folder; or one target"
    )
    by_class: bool = param(False, "a mean for each label instead of one for all images")
    normalise: str = param("none", "divide each map by its largest magnitude or their sum", choices=tuple(SCALES))

    @cached_property
    def averaged(self) -> Method:
        """The method that is averaged.

        Raises:
            ParameterError: it is neither a name nor a method, or it takes no images.
            PluginError: no method has this name.
        """
        chosen = named(self.attribution) if isinstance(self.attribution, str) else self.attribution
        if not isinstance(chosen, Method) or not chosen.needs_images or makes_pictures(type(chosen)):
            raise ParameterError(
                f"{self.name} averages a method that explains images, by name or configured: {chosen!r}"
            )
        return chosen

    def check_parameters(self) -> None:
        super().check_parameters()
        self.averaged.check_parameters()
        try:
            hash(AttributionMaps(self.averaged, self.target))
        except TypeError as error:
            raise ParameterError(
                f"{self.name} takes parameters and targets of numbers and text, not arrays or lists: {error}"
            ) from error

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The averaged method's layers, as for one grey image: the same for all images."""
        target = None if self.target in (PREDICTED, LABEL) else self.target
        low, high = model.input.bounds or (0.0, 1.0)
        image = np.full((1, *model.input.example_shape), (low + high) / 2, np.float32)
        chosen = self.averaged.with_network_defaults(model, image, resolve_target(target, model, 1))
        return {} if chosen is self.averaged else {"attribution": chosen}

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        return [MapMoments(AttributionMaps(self.averaged, self.target), self.by_class, self.normalise)]

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> MeanMaps:
        (state,) = gathered.values()
        order = sorted(range(len(state["labels"])), key=lambda n: state["labels"][n])
        counts = state["images"][order]
        each = counts.reshape(-1, *[1] * (state["sum"].ndim - 1))
        mean = state["sum"][order] / each
        deviation = np.sqrt(np.maximum(state["squares"][order] / each - mean**2, 0.0))
        zero = int(state["zero"].sum())
        notes = (f"{zero} of {counts.sum()} maps are zero throughout, and are averaged as such",) * bool(zero)
        labels = tuple(state["labels"][order].tolist())
        size = model.input.example_shape[1:]
        return MeanMaps(mean, deviation, counts, labels, size, notes=notes)


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [MeanAttribution]
