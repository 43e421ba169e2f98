"""Facets of units (Nguyen, Yosinski and Clune 2016, https://arxiv.org/abs/1602.03616)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.concepts.facets import Facets
from crosslens.data import Source, State, Statistic
from crosslens.data.features import features_of
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress, part_of
from crosslens.introspection.last_hidden import last_hidden, score_layer
from crosslens.introspection.unit_layers import unit_layers
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.model.reduction import unit_axis
from crosslens.objective import channel
from crosslens.plugins import hookimpl

from ._climbed import ClimbOptions, before_rectifier
from ._example_features import ExampleFeatures
from ._facet_clusters import REDUCTIONS
from ._facets_of_unit import FacetRecipe, FacetsOfUnit, facets_of_unit, refuse_sizes

__all__ = ["Facets", "FacetsMethod"]

Numbers = np.ndarray[Any, Any]
FIRST_UNITS = 3
"""Units where none are named."""


@dataclass(frozen=True, kw_only=True)
class FacetsMethod(ClimbOptions, DatasetMethod):
    """The kinds of pictures that a unit answers to.

    A unit's top pictures are compared at a hidden layer and grouped by k-means; each group is a facet, shown by the
    mean of the pictures nearest to its centre. `start="data:FILE.npz#UNIT/FACET"` of activation_maximisation and
    diversity climbs from there, and the target `facet:FILE.npz#UNIT/FACET` pulls to the centre.

    The paper takes all pictures of a class, 50 principal components and t-SNE at the last hidden layer, ten facets and
    the 15 nearest pictures: `reduction="tsne", facets=10`.
    """

    name = "facets"
    aliases: ClassVar[Mapping[str, str]] = {"multifaceted_feature_visualization": "", "mfv": ""}
    example: ClassVar[Mapping[str, Any]] = {
        "layer": "<output>", "space": "conv2", "units": (0, 1), "count": 4, "facets": 2, "nearest": 2
    }  # fmt: skip
    layer: str | None = param(None, "layer of the units; that of the class scores if not given")
    units: tuple[int, ...] = param((), f"units, counted from 0; the first {FIRST_UNITS} if empty", minimum=0)
    count: int = param(200, "top pictures of a unit", minimum=2)
    facets: int = param(4, "groups that they are put into", minimum=1)
    space: str | None = param(None, "layer at which pictures are compared; the last hidden one if not given")
    reduction: str = param("none", "what is done to embeddings before they are grouped", choices=REDUCTIONS)
    nearest: int = param(15, "pictures nearest to a facet's centre, of which the mean is taken", minimum=1)
    steps: int = param(0, "steps of Adam for a picture climbed from each mean picture; 0 for none", minimum=0)

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """Both layers by name."""
        chosen: dict[str, Any] = {}
        if self.layer is None:
            chosen["layer"] = score_layer(model)
        if self.space is None:
            chosen["space"] = last_hidden(model)
        return chosen

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(f"facets are of networks of pictures (C, H, W), not {model.input.shape}")
        return [self._examples(model)]

    def _examples(self, model: Model) -> ExampleFeatures:
        layer, space = self._places(model)
        shape = model.layer(layer).shape
        count = shape[unit_axis(len(shape))]
        if count is not None and self.units and max(self.units) >= count:
            raise ParameterError(f"units are {self.units}; layer {layer!r} has {count}, 0 to {count - 1}")
        units = self.units or tuple(range(min(FIRST_UNITS, count or FIRST_UNITS)))
        return ExampleFeatures(layer, units, self.count, features_of(model, space, "mean"))

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> Facets:
        asked = self._examples(model)
        state, space = gathered[asked], asked.features.layer
        recipe = FacetRecipe(asked.units, self.facets, self.reduction, self.nearest, self.seed)
        parts = len(asked.units) + bool(self.steps)
        made = [
            facets_of_unit(model, source, state, row, recipe, part_of(progress, row, parts))
            for row in range(len(asked.units))
        ]
        refuse_sizes([each.means for each in made])
        told = part_of(progress, len(asked.units), parts)
        pictures, notes = self._climbed(model, asked.layer, made, told) if self.steps else (None, ())
        seen = source_note(asked.layer, state, len(source))
        return _result(asked.layer, space, made, pictures, (*seen, *notes))

    def _places(self, model: Model) -> tuple[str, str]:
        """The layers of the units and of the embeddings."""
        (layer,) = unit_layers(model, [self.layer or score_layer(model)])
        (space,) = unit_layers(model, [self.space or last_hidden(model)])
        return layer, space

    def _climbed(
        self, model: Model, layer: str, made: Sequence[FacetsOfUnit], progress: Progress
    ) -> tuple[Numbers, tuple[str, ...]]:
        at, notes = before_rectifier(model, layer)
        aims = [channel(at, each.unit) for each in made for _ in each.sizes]
        pictures, more = self.climbed(model, aims, progress, np.concatenate([each.means for each in made]))
        return pictures, (*notes, *more)


def source_note(layer: str, state: State, count: int) -> tuple[str, ...]:
    """A note where a unit's examples are all the pictures there are."""
    if state["image"].shape[1] < count:
        return ()
    return (
        f"all {count} images are among the examples of each unit of {layer!r}: the facets are of the data, not of what "
        "excites a unit; ask for a smaller count, or give more images",
    )


def _result(
    layer: str, space: str, made: Sequence[FacetsOfUnit], pictures: Numbers | None, notes: tuple[str, ...]
) -> Facets:
    rows = [(each.unit, facet) for each in made for facet in range(len(each.sizes))]
    joined = {
        name: np.concatenate([getattr(each, name) for each in made])
        for name in ("sizes", "shares", "values", "spreads", "shown", "nearest", "means", "centroids", "examples")
    }
    columns = {
        "unit": np.array([unit for unit, _ in rows], np.int64),
        "facet": np.array([facet for _, facet in rows], np.int64),
        "size": joined["sizes"],
        "share": joined["shares"],
        "value": joined["values"],
        "spread": joined["spreads"],
        "shown": joined["shown"],
        "nearest": joined["nearest"],
        "layer": np.full(len(rows), layer),
        "space": np.full(len(rows), space),
    }
    return Facets(
        columns=columns,
        means=joined["means"],
        centroids=joined["centroids"],
        examples=joined["examples"],
        pictures=pictures,
        members=np.stack([each.members for each in made]),
        facet_of=np.stack([each.facet_of for each in made]),
        notes=(*(note for each in made for note in each.notes), *notes),
    )


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [FacetsMethod]
