"""Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.arrays import Array, namespace, relu
from crosslens.hookspecs import hookimpl
from crosslens.method import Method

from .cam_family import GradientCAM


@dataclass(frozen=True, kw_only=True)
class GradCAM(GradientCAM):
    """Weight each channel of a layer by the mean gradient of the target, add up, keep the positive part.

    Equations 1 and 2 of the paper: w_k = mean_ij dy/dA_kij, L = relu(sum_k w_k A_k). Nowhere negative.
    """

    name = "grad_cam"

    def combine(self, maps: Array, gradient: Array) -> Array:
        xp = namespace(maps)
        weights = xp.mean(gradient, axis=(2, 3), keepdims=True)
        return relu(xp.sum(weights * maps, axis=1))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GradCAM]
