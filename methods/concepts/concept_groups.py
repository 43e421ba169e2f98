"""Groups of units by matrix factorisation (Olah et al. 2018, "The Building Blocks of Interpretability", Distill)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import numpy as np
from crosslens.concepts.neuron_groups import NeuronGroups
from crosslens.data import Source, State, Statistic
from crosslens.data.sampling.sampled_positions import SampledPositions
from crosslens.errors import ImageError, LayerError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.model.layout import patch_grid
from crosslens.objective import direction
from crosslens.objective.target import resolve_target
from crosslens.plugins.hookspecs import hookimpl

from ._climbed import ClimbOptions, before_rectifier
from ._factorisation import Factorisation, Rows, factorised
from ._group_acts import GroupActs, GroupRecords, StrongestPictures
from ._groups_result import groups_result, sample_notes

__all__ = ["ConceptGroups"]

Numbers = np.ndarray[Any, Any]
States = Mapping[Statistic, State]
PREDICTED = "predicted"


@dataclass(frozen=True, kw_only=True)
class ConceptGroups(ClimbOptions, DatasetMethod):
    """Units that act together: places and effects.

    A layer's activations at positions of one or many pictures, a matrix of positions by channels, are about masks times
    factors, all at least 0 (non-negative matrix factorisation): each group has a factor, a direction in the layer's
    channels, and a mask in each picture, which says where and how strongly it acts. The factors are those of all
    positions, or of so many drawn at random; a mask is the non-negative least squares fit at each position.

    A group's effect on the target is said in two ways: by the gradient, the sum over positions of mask times <gradient,
    factor>; and by removal, what the target loses where mask times factor is subtracted from the activations and the
    network runs on from there.
    """

    name = "concept_groups"
    aliases: ClassVar[Mapping[str, str]] = {"neuron_groups": ""}
    nearest_to: ClassVar[Mapping[str, str]] = {
        "craft": "it factorises the activations of crops of pictures of one class, here those at positions",
    }
    example: ClassVar = {"groups": 2, "steps": 2}
    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")
    target: Any = param(PREDICTED, "what effects are on: predicted, each picture's class; or a class or target in text")
    groups: int = param(6, "how many groups", minimum=1)
    iterations: int = param(400, "sweeps of the factorisation", minimum=1)
    positions: int = param(4000, "positions that are factorised, at most; of more a random sample", minimum=1)
    pictures: int = param(4, "pictures shown of each group, those in which it acts most", minimum=1)
    visualise: bool = param(True, "climb a picture of each group")
    power: float = param(1.0, "of the cosine to its factor that a group's picture is climbed with", minimum=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        if not isinstance(self.target, str | int) or isinstance(self.target, bool):
            raise ParameterError(
                f"target is {self.target!r}; give the number or label of a class, the text of a target, "
                f"'channel:LAYER:11', or {PREDICTED!r}"
            )

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": default_layer(model, resolve_target(self._objective, model, 1))}

    @property
    def _objective(self) -> str | int | None:
        return None if self.target == PREDICTED else self.target

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        sample = self._sample(model, source)
        if sample not in (gathered or {}):
            resolve_target(self._objective, model, 1)
            return [sample]
        return self._acts(self._factorised(model, (gathered or {})[sample]), sample.layer)

    def _acts(self, made: Factorisation, layer: str) -> tuple[GroupRecords, StrongestPictures]:
        acts = GroupActs(layer, self._objective, self.groups, made.factors.tobytes())
        return GroupRecords(acts), StrongestPictures(acts, self.pictures)

    def _sample(self, model: Model, source: Source) -> SampledPositions:
        """All positions of all pictures, or as many of each as come to the number asked for."""
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(f"concept_groups is for networks of pictures (C, H, W), not {model.input.shape}")
        layer = model.layer(str(self.layer))
        if not layer.has_maps and len(layer.shape) != 3:
            raise LayerError(
                f"layer {layer.name!r} gives {layer.shape}, not maps (N, C, H, W) of more than one position; choose a "
                "layer before the pooling"
            )
        each = ceil(self.positions / max(1, len(source)))
        return SampledPositions(layer.name, self.positions, self.seed, edge=0, per_image=each)

    def _factorised(self, model: Model, state: State) -> Factorisation:
        order = np.lexsort((state["position"], state["image"]))
        matrix = np.maximum(state["activation"][order][self._on_maps(model, state["position"][order])], 0)
        if self.groups > min(matrix.shape):
            places, channels = matrix.shape
            raise ParameterError(
                f"groups is {self.groups}; layer {self.layer!r} has {places} positions in these pictures and "
                f"{channels} channels: give at most {min(matrix.shape)}, or more pictures"
            )
        if not matrix.any():
            raise LayerError(
                f"layer {self.layer!r} is nowhere above zero for these pictures, so there is nothing to group; name "
                "another layer, layer="
            )
        return factorised(Rows.of(matrix.astype(np.float64)), self.groups, self.iterations, self.seed)

    def _on_maps(self, model: Model, position: Numbers) -> Numbers:
        """Which positions lie in the maps: class and register tokens, in front, do not."""
        shape = model.layer(str(self.layer)).shape
        if len(shape) != 3 or shape[1] is None:
            return np.ones(len(position), bool)
        height, width = patch_grid(int(shape[1]), model.input.size)
        return np.asarray(position >= int(shape[1]) - height * width)

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> NeuronGroups:
        sample = self._sample(model, source)
        made = self._factorised(model, gathered[sample])
        records, strongest = self._acts(made, sample.layer)
        pictures, notes = self._climbed(model, sample.layer, made.factors, progress)
        seen = sample_notes(gathered[sample], self.positions, sample.layer)
        kept = (gathered[records]["rows"], gathered[strongest])
        return groups_result(model, source, records.acts, kept, made.error, pictures, (*seen, *notes))

    def _climbed(
        self, model: Model, layer: str, factors: Numbers, progress: Progress
    ) -> tuple[Numbers | None, tuple[str, ...]]:
        if not self.visualise:
            return None, ()
        at, notes = before_rectifier(model, layer)
        aims = [direction(at, factor.astype(np.float32), self.power) for factor in factors]
        pictures, more = self.climbed(model, aims, progress)
        return pictures, (*notes, *more)


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """This module's method."""
    return [ConceptGroups]
