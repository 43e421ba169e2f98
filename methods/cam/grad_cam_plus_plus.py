"""Grad-CAM++ (Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from crosslens.arrays import Array, namespace, relu
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.postprocess import resize, unit_range
from crosslens.method.preset import Preset
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._feature_maps import spatial_axes
from ._map_methods import GradientCAM

ALPHAS = ("paper", "shares", "means", "squares")


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(GradientCAM):
    """Grad-CAM in which each object of a class counts.

    Grad-CAM with each position's gradient weighted, so that several objects of a class all count.

    Equation 19 with g = dS/dA: alpha_kij = g^2 / (2 g^2 + sum_ab A_kab g^3); w_k = sum_ij alpha_kij relu(g_kij);
    L = relu(sum_k w_k A_k). g^2 is cancelled, which changes nothing where relu(g) > 0 and cannot underflow. The paper's
    Y = exp(S) multiplies the whole map by exp(S), which overflows at a score of 88; that factor is left out
    unless `exponential`.
    Other libraries' `alpha`: "shares", divided by its sum over positions; "means" for both sums; "squares", g^2 itself.
    """

    name = "grad_cam_plus_plus"
    aliases: ClassVar[Mapping[str, str]] = {
        "grad_cam_pp": "",
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "pytorch-grad-cam": Preset({"epsilon": 1e-6}, (unit_range(1e-7), resize("linear"), unit_range(1e-7))),
        "tf-keras-vis": Preset({"alpha": "shares", "exponential": True}, (resize("corners"), unit_range(1e-7))),
        "xplique": Preset({"alpha": "means"}, (resize("cubic"),), doc="bug: means where equation 19 has sums"),
        "torchcam": Preset(
            {"alpha": "squares"}, (unit_range(1e-8),), doc="bug: its division changes nothing, so alpha is g^2"
        ),
    }

    alpha: str = param("paper", "the weight of a position", choices=ALPHAS)
    epsilon: float = param(0.0, "added to the denominator of alpha", minimum=0)
    exponential: bool = param(False, "multiply the map by exp(S), as the paper does")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        result = super().run(model, images, objective, progress)
        if not self.exponential:
            return result
        scores = -result.scores if self.counterfactual else result.scores
        xp = namespace(scores)
        factor = xp.reshape(xp.exp(scores), (-1, *[1] * (result.values.ndim - 1)))
        return replace(result, values=result.values * factor)

    def combine(self, maps: Array, gradient: Array) -> Array:
        xp = namespace(maps)
        weights = self._over_positions(self._alpha(maps, gradient) * relu(gradient))
        return relu(xp.sum(weights * maps, axis=1))

    def _over_positions(self, values: Array) -> Array:
        xp = namespace(values)
        return (xp.mean if self.alpha == "means" else xp.sum)(values, axis=spatial_axes(values), keepdims=True)

    def _alpha(self, maps: Array, gradient: Array) -> Array:
        """The weight of each position of each channel, (N, C, h, w)."""
        if self.alpha == "squares":
            return gradient**2
        xp = namespace(maps)
        denominator = 2 + self._over_positions(maps) * gradient
        if self.epsilon:
            denominator = denominator + self.epsilon / xp.where(gradient != 0, gradient**2, xp.ones_like(gradient))
        inverse = 1 / xp.where(denominator != 0, denominator, xp.ones_like(denominator))
        alpha = xp.where((gradient != 0) & (denominator != 0), inverse, xp.zeros_like(denominator))
        if self.alpha != "shares":
            return alpha
        total = xp.sum(alpha, axis=spatial_axes(alpha), keepdims=True)
        return alpha / xp.where(total != 0, total, xp.ones_like(total))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GradCAMPlusPlus]
