"""Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from crosslens.arrays import Array, namespace, relu
from crosslens.method import Method, param
from crosslens.method.postprocess import over_largest, resize, unit_range
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._feature_maps import spatial_axes
from ._map_methods import GradientCAM


@dataclass(frozen=True, kw_only=True)
class GradCAM(GradientCAM):
    """A layer's maps, weighted by the target's gradient.

    Weight each channel of a layer by the mean gradient of the target, add up, keep the positive part.

    Equations 1 and 2 of the paper: w_k = mean_ij dy/dA_kij, L = relu(sum_k w_k A_k). Nowhere negative.
    """

    name = "grad_cam"
    aliases: ClassVar[Mapping[str, str]] = {
        "gradient_weighted_class_activation_mapping": "",
        "layer_grad_cam": "the positive part, as in the paper; captum's LayerGradCam keeps the sign: preset='captum'",
    }
    nearest_to: ClassVar[Mapping[str, str]] = {
        "grad_cam_element_wise": "its weights are one for each channel",
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset({"rectified": False}),
        "tf-keras-vis": Preset(postprocess=(resize("corners"), unit_range(1e-7))),
        "xplique": Preset(postprocess=(resize("cubic"),)),
        "pair": Preset(postprocess=(over_largest, resize("mirrored"))),
        "pytorch-grad-cam": Preset(postprocess=(unit_range(1e-7), resize("linear"), unit_range(1e-7))),
        "torchcam": Preset(postprocess=(unit_range(1e-8),)),
        "tf-explain": Preset(
            {"rectified": False, "guided": True},
            (resize("linear"), unit_range()),
            doc="its map, before it is coloured",
        ),
    }

    rectified: bool = param(True, "keep the positive part only; the paper's equation 2")
    guided: bool = param(False, "count a gradient only where it and the activation are positive")

    def combine(self, maps: Array, gradient: Array) -> Array:
        xp = namespace(maps)
        if self.guided:
            gradient = xp.where(maps > 0, relu(gradient), xp.zeros_like(gradient))
        weights = xp.mean(gradient, axis=spatial_axes(gradient), keepdims=True)
        found = xp.sum(weights * maps, axis=1)
        return relu(found) if self.rectified else found

    def gradient_notes(self, gradients: Mapping[str, Array]) -> tuple[str, ...]:
        """Where the target is one place of maps, its weights need not tell which: a linear head gives all the same."""
        return tuple(note for name, gradient in gradients.items() if (note := _few_places_note(name, gradient)))


FEW = 1 / 16
"""The share of a layer's places up to which a target counts as one place of maps."""


def _few_places_note(layer: str, gradient: Array) -> str:
    if gradient.ndim < 4:
        return ""
    xp = namespace(gradient)
    reached = xp.astype(xp.any(gradient != 0, axis=1), xp.int64)
    most = int(xp.max(xp.sum(reached, axis=tuple(range(1, reached.ndim)))))
    total = prod(reached.shape[1:])
    if not 0 < most <= FEW * total:
        return ""
    return (
        f"the target depends on {most} of {total} places of {layer!r}, and Grad-CAM averages the gradient over all of "
        "them: another place of the target may have the same map; hires_cam and layer_cam keep the place"
    )


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GradCAM]
