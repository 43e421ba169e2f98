"""Class activation mapping (Zhou et al., 2016, https://arxiv.org/abs/1512.04150)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array, namespace
from crosslens.errors import LayerError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import last_maps
from crosslens.method import Method, param
from crosslens.method.postprocess import unit_range
from crosslens.method.preset import Preset
from crosslens.model import Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._feature_maps import spatial_axes

TOLERANCE = 1e-3
"""How far a gradient may vary, relative to its largest, and still count as one number per channel."""


@dataclass(frozen=True, kw_only=True)
class CAM(Method):
    """The last maps, weighted by the class's own weights.

    Weight each of the last maps by the class's weight for it in a linear head on global average pooling.

    Equation 2 of the paper: M_c(x, y) = sum_k w_k^c f_k(x, y), no ReLU. On such a head the gradient of the logit at the
    last maps is w_k^c / (h w) at every position, so the weights are read off the gradient; no framework's names needed.
    """

    name = "cam"
    aliases: ClassVar[Mapping[str, str]] = {
        "class_activation_map": "",
        "class_activation_mapping": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "torchcam": Preset(postprocess=(unit_range(1e-8),)),
    }
    layer: str | None = param(
        None, "the layer that is pooled, with maps (N, C, H, W); the last one with maps if not given"
    )

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": last_maps(model, objective.layers)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, signed; their mean over positions is the logit less its bias."""
        layer = self.layer or last_maps(model, objective.layers)
        pull, scores = pullback(model, images, objective, wrt=[layer], capture=[layer, *sorted(objective.layers)])
        maps, gradient = pull.activations[layer], pull.gradients[layer]
        if maps.ndim != images.ndim or set(maps.shape[2:]) == {1}:
            raise LayerError(
                f"layer {layer!r} gives {tuple(maps.shape)}, not maps (N, C, H, W); choose one before the pooling"
            )
        _check_pooled(gradient, layer)
        _check_linear(model, images, objective.fix_choices(pull.activations), layer, maps, gradient)
        xp = namespace(maps)
        weights = xp.sum(gradient, axis=spatial_axes(gradient), keepdims=True)
        return Attribution(xp.sum(weights * maps, axis=1), scores=scores)


def _check_pooled(gradient: Array, layer: str) -> None:
    """The gradient must be one number per channel."""
    xp = namespace(gradient)
    spread = xp.max(gradient, axis=spatial_axes(gradient)) - xp.min(gradient, axis=spatial_axes(gradient))
    largest = float(xp.max(xp.abs(gradient)))
    if largest == 0:
        raise LayerError(
            f"layer {layer!r} has no influence on the target: its gradient is zero. Is it the layer you mean?"
        )
    if float(xp.max(spread)) > TOLERANCE * largest:
        raise _unsuitable_head(
            layer, "the gradient differs between positions, so global average pooling does not follow"
        )


def _check_linear(model: Model, images: Array, objective: Objective, layer: str, maps: Array, gradient: Array) -> None:
    """The gradient must not depend on the maps: asked again for the first image, its maps halved."""
    first, one = images[:1, ...], objective.select(0, 1)
    again, _ = pullback(model, first, one, wrt=[layer], replace={layer: 0.5 * maps[:1, ...]})
    xp = namespace(maps)
    difference = float(xp.max(xp.abs(again.gradients[layer] - gradient[:1, ...])))
    if difference > TOLERANCE * float(xp.max(xp.abs(gradient))):
        raise _unsuitable_head(
            layer, "the gradient depends on the maps, so something that is not linear (a softmax?) follows"
        )


def _unsuitable_head(layer: str, why: str) -> LayerError:
    return LayerError(
        f"CAM needs global average pooling and one linear layer after {layer!r}, and {why}. Use grad_cam, which takes "
        "any head; or name the pooled layer (layer=) and a target before the softmax, such as channel:LAYER:INDEX"
    )


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [CAM]
