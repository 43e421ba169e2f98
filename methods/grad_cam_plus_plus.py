"""Grad-CAM++ (Chattopadhay et al., 2018, https://arxiv.org/abs/1710.11063)."""

from collections.abc import Sequence
from dataclasses import dataclass

from crosslens.arrays import Array, namespace, relu
from crosslens.hookspecs import hookimpl
from crosslens.method import Method

from .cam_family import GradientCAM


@dataclass(frozen=True, kw_only=True)
class GradCAMPlusPlus(GradientCAM):
    """Grad-CAM with each position's gradient weighted, so that several objects of a class all count.

    Equation 19 with g = dS/dA: alpha_kij = g^2 / (2 g^2 + sum_ab A_kab g^3); w_k = sum_ij alpha_kij relu(g_kij);
    L = relu(sum_k w_k A_k). g^2 is cancelled, which changes nothing where relu(g) > 0 and cannot underflow. The paper's
    Y = exp(S) multiplies the whole map by exp(S), which overflows at a score of 88; that factor is left out.
    """

    name = "grad_cam_plus_plus"

    def combine(self, maps: Array, gradient: Array) -> Array:
        xp = namespace(maps)
        alpha = 1 / (2 + xp.sum(maps, axis=(2, 3), keepdims=True) * gradient)
        alpha = xp.where(gradient > 0, alpha, xp.zeros_like(alpha))
        weights = xp.sum(alpha * relu(gradient), axis=(2, 3), keepdims=True)
        return relu(xp.sum(weights * maps, axis=1))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GradCAMPlusPlus]
