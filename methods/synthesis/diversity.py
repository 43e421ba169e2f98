"""Diversity: several pictures that excite a unit in different ways (Olah et al. 2017, "Diversity")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array
from crosslens.errors import LayerError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import last_maps
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, each
from crosslens.objective import diversity as diversity_of
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.result.display import counted

from .activation_maximisation import ActivationMaximisation


@dataclass(frozen=True, kw_only=True)
class Diversity(ActivationMaximisation):
    """Several different pictures that excite one target.

    Several facets of one target: each picture maximises the target plus weight * diversity(layer) of the batch.

    The diversity is minus the mean cosine between a picture's Gram matrix and the others'. The target's value at the
    start is of any size, so the weight must fit it: raise it until the pictures differ.
    """

    name = "diversity"
    example: ClassVar = {"steps": 4, "count": 2}
    count: int = param(4, "how many pictures", minimum=2)
    layer: str | None = param(
        None, "layer whose Gram matrices shall differ; the target's own if it has maps, or the last"
    )
    weight: float = param(10.0, "what the diversity counts beside the target")

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": self._layer(model, objective)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """`count` pictures from noise, or from as many facets."""
        if images is not None:
            raise ParameterError("diversity makes its pictures from noise or facets; leave the images out")
        if self.start == "grey":
            raise ParameterError(
                "start is 'grey', from where all pictures would go the same way; diversity starts from noise or facets"
            )
        starts = self._facet_starts(model, None)
        if starts is not None and len(starts) < self.count:
            raise ParameterError(
                f"count is {self.count}, and {self.start!r} holds {counted(len(starts), 'facet')}; each picture "
                f"starts from another: give count={len(starts)}, or find more facets"
            )
        if objective.count is not None:
            raise ParameterError(
                f"diversity makes several pictures of one target, and {objective} names {objective.count}; name one, "
                "or run activation_maximisation for a picture of each"
            )
        target = self._fixed(objective, model, None)
        apart = diversity_of(self._layer(model, target))
        aim = each([target] * self.count) + self.weight * apart
        return self._maximise(model, None if starts is None else starts[: self.count, ...], aim, objective, progress)

    def _layer(self, model: Model, target: Objective) -> str:
        chosen = [self.layer] if self.layer else [name for name in target.layers if model.layer(name).has_maps]
        layer = model.layer(chosen[0] if len(chosen) == 1 else last_maps(model))
        if not layer.has_maps and len(layer.shape) != 3:
            raise LayerError(
                f"layer {layer.name!r} gives {layer.shape}; diversity compares maps (N, C, H, W) or tokens"
            )
        return layer.name


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Diversity]
