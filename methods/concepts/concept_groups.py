"""Groups of units by matrix factorisation (Olah et al. 2018, "The Building Blocks of Interpretability", Distill)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.concepts.neuron_groups import NeuronGroups
from crosslens.errors import LayerError, ParameterError
from crosslens.execution.progress import Progress, part_of
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.method.target_function import TargetFunction, batch_ranges
from crosslens.model import Model
from crosslens.objective import Objective, direction
from crosslens.plugins.hookspecs import hookimpl

from ._climbed import ClimbOptions, before_rectifier
from ._factorisation import Factorisation, factorised
from ._layer_maps import LayerMaps, as_activation, layer_maps

__all__ = ["ConceptGroups"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class ConceptGroups(ClimbOptions, Method):
    """Units that act together: places and effects.

    A layer's activations at all positions of all pictures, a matrix of positions by channels, are about masks times
    factors, all at least 0 (non-negative matrix factorisation): each group has a factor, a direction in the layer's
    channels, and a mask for each picture, which says where and how strongly it acts.

    Its effect on the target is said in two ways: by the gradient, the sum over positions of mask times <gradient,
    factor>; and by removal, what the target loses where mask times factor is subtracted from the activations and the
    network runs on from there. Several pictures are factorised together, so that a group means the same in all.
    """

    name = "concept_groups"
    aliases: ClassVar[Mapping[str, str]] = {"neuron_groups": ""}
    nearest_to: ClassVar[Mapping[str, str]] = {
        "craft": "it factorises the activations of crops of pictures of one class, here those at all positions",
    }
    batched = False
    example: ClassVar = {"groups": 2, "steps": 2}
    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")
    groups: int = param(6, "how many groups", minimum=1)
    iterations: int = param(400, "sweeps of the factorisation", minimum=1)
    visualise: bool = param(True, "climb a picture of each group")
    power: float = param(1.0, "of the cosine to its factor that a group's picture is climbed with", minimum=0)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": default_layer(model, objective, images)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> NeuronGroups:
        """Masks (N, groups, h, w) of all pictures, and what they are made of."""
        layer = model.layer(self.layer or default_layer(model, objective, images)).name
        found = layer_maps(model, images, objective, layer)
        positive, notes = _non_negative(found.activations, layer)
        count, _, height, width = positive.shape
        made = self._factorised(positive, layer)
        masks = made.weights.reshape(count, height, width, -1).transpose(0, 3, 1, 2)
        products = found.gradients.astype(np.float64) * found.activations
        pictures, more = self._pictures(model, layer, made.factors, part_of(progress, 0, 2))
        return NeuronGroups(
            layer=layer,
            masks=like(masks, images),
            factors=made.factors,
            pictures=pictures,
            effects=np.einsum("nkhw,kc,nchw->nk", masks, made.factors, found.gradients, optimize=True),
            removals=self._removals(model, images, layer, found, masks, made.factors, part_of(progress, 1, 2)),
            totals=products.sum(axis=(1, 2, 3)),
            scores=found.scores,
            targets=found.targets(model),
            error=made.error,
            notes=(*notes, *more),
        )

    def _factorised(self, positive: Numbers, layer: str) -> Factorisation:
        matrix = positive.transpose(0, 2, 3, 1).reshape(-1, positive.shape[1]).astype(np.float64)
        if self.groups > min(matrix.shape):
            places, channels = matrix.shape
            raise ParameterError(
                f"groups is {self.groups}; layer {layer!r} has {places} positions in these pictures and {channels} "
                f"channels: give at most {min(matrix.shape)}, or more pictures"
            )
        if not matrix.any():
            raise LayerError(
                f"layer {layer!r} is nowhere above zero for these pictures, so there is nothing to group; name another "
                "layer, layer="
            )
        return factorised(matrix, self.groups, self.iterations, self.seed)

    def _pictures(
        self, model: Model, layer: str, factors: Numbers, progress: Progress
    ) -> tuple[Numbers | None, tuple[str, ...]]:
        if not self.visualise:
            return None, ()
        at, notes = before_rectifier(model, layer)
        aims = [direction(at, factor.astype(np.float32), self.power) for factor in factors]
        pictures, more = self.climbed(model, aims, progress)
        return pictures, (*notes, *more)

    def _removals(
        self,
        model: Model,
        images: Array,
        layer: str,
        found: LayerMaps,
        masks: Numbers,
        factors: Numbers,
        progress: Progress,
    ) -> Numbers:
        """What each image's target loses without each group, (N, groups)."""
        rows = []
        for n, (objective, score) in enumerate(zip(found.objectives, found.scores, strict=True)):
            image, told = images[n : n + 1, ...], part_of(progress, n, len(masks))
            activation = model.forward(image, [layer])[layer]
            function = TargetFunction(model, image, objective, layer, activation)
            left = [
                as_numpy(function.scores(activation - as_activation(_acting(masks[n, a:b], factors[a:b]), activation)))
                for a, b in batch_ranges(model, len(factors), told, "groups removed")
            ]
            rows.append(score - np.concatenate(left))
        return np.stack(rows)


def _acting(masks: Numbers, factors: Numbers) -> Numbers:
    """Masks (B, h, w) times factors (B, C): (B, C, h, w)."""
    return masks[:, None] * factors[:, :, None, None]


def _non_negative(activations: Numbers, layer: str) -> tuple[Numbers, tuple[str, ...]]:
    """The positive part, and a note on what is left out: the factorisation is of numbers that are at least 0."""
    positive = np.maximum(activations, 0)
    squares = float(np.square(activations, dtype=np.float64).sum())
    lost = squares - float(np.square(positive, dtype=np.float64).sum())
    if not lost:
        return positive, ()
    note = (
        f"layer {layer!r} has negative activations, {lost / squares:.1%} of all by their squares: groups are of the "
        "positive part, and what the negative part does is in no group"
    )
    return positive, (note,)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ConceptGroups]
