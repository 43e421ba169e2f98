"""LayerCAM (Jiang et al., 2021, https://doi.org/10.1109/TIP.2021.3089943)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace, relu
from crosslens.method import Method
from crosslens.method.postprocess import resize, unit_range
from crosslens.method.preset import Preset
from crosslens.plugins.hookspecs import hookimpl

from ._feature_maps import at_finest_resolution
from ._map_methods import GradientCAM

STRETCH = 2.0
"""gamma of the paper: how steeply the weak maps of shallow layers are raised before they are fused."""


@dataclass(frozen=True, kw_only=True)
class LayerCAM(GradientCAM):
    """Each place of a layer's maps by its own gradient.

    Weight each position of each channel by its own positive gradient, so that shallow layers give fine maps.

    L = relu(sum_k relu(dy/dA_kij) A_kij). Several layers are fused as in the paper: each map M becomes
    tanh(2 M / max M), and the largest at each position is kept.
    """

    name = "layer_cam"
    presets: ClassVar[Mapping[str, Preset]] = {
        "tf-keras-vis": Preset(postprocess=(resize("corners"), unit_range(1e-7))),
        "pytorch-grad-cam": Preset(postprocess=(unit_range(1e-7), resize("linear"), unit_range(1e-7))),
        "torchcam": Preset(postprocess=(unit_range(1e-8),)),
    }

    def combine(self, maps: Array, gradient: Array) -> Array:
        return relu(namespace(maps).sum(relu(gradient) * maps, axis=1))

    def fuse(self, maps: Sequence[Array]) -> Array:
        return namespace(maps[0]).max(at_finest_resolution([_tanh_scaled(each) for each in maps]), axis=0)


def _tanh_scaled(maps: Array) -> Array:
    """tanh(gamma M / max M) for each image; a map of zeros stays one."""
    xp = namespace(maps)
    largest = xp.max(maps, axis=tuple(range(1, maps.ndim)), keepdims=True)
    return xp.tanh(STRETCH * maps / xp.where(largest > 0, largest, xp.ones_like(largest)))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [LayerCAM]
