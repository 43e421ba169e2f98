"""XGrad-CAM (Fu et al., 2020, "Axiom-based Grad-CAM", https://arxiv.org/abs/2008.02312)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace, relu
from crosslens.method import Method
from crosslens.method.postprocess import resize, unit_range
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._feature_maps import spatial_axes
from ._map_methods import GradientCAM


@dataclass(frozen=True, kw_only=True)
class XGradCAM(GradientCAM):
    """Grad-CAM with gradients weighted by activations.

    Grad-CAM with the gradient averaged by the share of a channel that each position holds.

    w_k = sum_ij (A_kij / sum_ab A_kab) dS/dA_kij, which meets the axioms of sensitivity and conservation best;
    L = relu(sum_k w_k A_k). A channel whose sum is zero has no share to give and counts nothing.
    """

    name = "x_grad_cam"
    aliases: ClassVar[Mapping[str, str]] = {
        "axiom_based_grad_cam": "",
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "pytorch-grad-cam": Preset(postprocess=(unit_range(1e-7), resize("linear"), unit_range(1e-7))),
        "torchcam": Preset(postprocess=(unit_range(1e-8),)),
    }

    def combine(self, maps: Array, gradient: Array) -> Array:
        xp = namespace(maps)
        total = xp.sum(maps, axis=spatial_axes(maps), keepdims=True)
        silent = total == 0
        weights = xp.sum(maps * gradient, axis=spatial_axes(maps), keepdims=True) / xp.where(
            silent, xp.ones_like(total), total
        )
        return relu(xp.sum(xp.where(silent, xp.zeros_like(weights), weights) * maps, axis=1))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [XGradCAM]
