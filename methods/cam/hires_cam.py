"""HiResCAM (Draelos and Carin, 2020, https://arxiv.org/abs/2011.08891)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace
from crosslens.method import Method
from crosslens.method.postprocess import positive, resize, unit_range
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._map_methods import GradientCAM


@dataclass(frozen=True, kw_only=True)
class HiResCAM(GradientCAM):
    """A layer's maps times their gradient at each place.

    Multiply maps and gradient position by position and add up over channels: only what the network uses is shown.

    L = sum_k dy/dA_k * A_k, signed. On a network that ends in one linear layer, the sum of the map is the score less
    its bias, and no gradient is averaged into positions where it was 0.
    """

    name = "hires_cam"
    aliases: ClassVar[Mapping[str, str]] = {
        "high_resolution_cam": "",
    }
    presets: ClassVar[Mapping[str, Preset]] = {
        "pytorch-grad-cam": Preset(postprocess=(positive, unit_range(1e-7), resize("linear"), unit_range(1e-7))),
    }

    def combine(self, maps: Array, gradient: Array) -> Array:
        return namespace(maps).sum(gradient * maps, axis=1)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [HiResCAM]
