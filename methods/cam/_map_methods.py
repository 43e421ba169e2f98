"""Bases of methods that explain a layer with maps: any of them, and those that combine its maps and its gradient."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from crosslens.arrays import Array, namespace
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, pullback
from crosslens.result import Attribution

from ._feature_maps import at_finest_resolution, feature_maps, zero_map_note


@dataclass(frozen=True, kw_only=True)
class MapMethod(Method):
    """A method that explains one layer with maps, or with tokens that are laid out as maps."""

    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": default_layer(model, objective, images)}


@dataclass(frozen=True, kw_only=True)
class GradientCAM(MapMethod):
    """A map (N, h, w) made of a layer's maps A and of the target's gradient there, dy/dA; (N, d, h, w) of volumes."""

    volumes = True
    layer: str | tuple[str, ...] | None = param(  # type: ignore[assignment]
        None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given; several are fused"
    )
    counterfactual: bool = param(False, "what speaks against the target: its negative is explained")

    @abstractmethod
    def combine(self, maps: Array, gradient: Array) -> Array:
        """The paper's map (N, h, w) from maps and gradient, both (N, C, h, w)."""

    def fuse(self, maps: Sequence[Array]) -> Array:
        """One map (N, h, w) of those of several layers: enlarged to the finest, then averaged; in the target's unit."""
        return namespace(maps[0]).mean(at_finest_resolution(maps), axis=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the resolution of the layer, or of the finest of several."""
        layers = (
            [self.layer] if isinstance(self.layer, str) else self.layer or [default_layer(model, objective, images)]
        )
        pull, scores = pullback(model, images, negated_if(objective, self.counterfactual), wrt=layers, capture=layers)
        size = tuple(images.shape[2:])
        maps = [
            self.combine(*(feature_maps(values[name], name, size) for values in (pull.activations, pull.gradients)))
            for name in layers
        ]
        values = maps[0] if len(maps) == 1 else self.fuse(maps)
        notes = (*zero_map_note(values, layers), *self.gradient_notes(pull.gradients))
        return Attribution(values, scores=-scores if self.counterfactual else scores, notes=notes)

    def gradient_notes(self, gradients: Mapping[str, Array]) -> tuple[str, ...]:
        """What a reader must know of the gradients, by layer, that the map is made of."""
        return ()


def negated_if(objective: Objective, counterfactual: bool) -> Objective:
    """The objective, or its negative: what speaks against it (Selvaraju et al. 2017, section 3.3)."""
    return -objective if counterfactual else objective
