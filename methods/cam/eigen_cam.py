"""Eigen-CAM (Muhammad and Yeasin, 2020, https://arxiv.org/abs/2008.00299)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array, namespace
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.method.postprocess import positive, resize, unit_range
from crosslens.method.preset import Preset
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ._feature_maps import feature_maps, zero_map_note
from ._map_methods import MapMethod


@dataclass(frozen=True, kw_only=True)
class EigenCAM(MapMethod):
    """The main pattern of a layer's maps, for any class.

    What a layer shows most, whatever the class: its maps along their first principal direction.

    With the maps as a matrix O (positions, channels) = U S V', the map is O v_1 = u_1 s_1; nothing is centred. A
    direction has no sign of its own: the one is taken with which the map's sum is positive.
    """

    name = "eigen_cam"
    nearest_to: ClassVar[Mapping[str, str]] = {
        "eigen_grad_cam": "it takes the maps without their gradients",
    }
    volumes = True
    needs_target = False
    presets: ClassVar[Mapping[str, Preset]] = {
        "pytorch-grad-cam": Preset(
            {"centred": True},
            (positive, unit_range(1e-7), resize("linear"), unit_range(1e-7)),
            doc="bug: the sign is what the decomposition happens to leave, so that half of all maps are negatives",
        ),
    }
    centred: bool = param(
        False, "take each channel's mean off first; the sum is 0 then, and the sign stays as the decomposition gives it"
    )

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Maps (N, h, w) at the layer's resolution, in the unit of its activations."""
        layer = self.layer or default_layer(model, objective, images)
        maps = feature_maps(model.forward(images, [layer])[layer], layer, images.shape[2:])
        xp = namespace(maps)
        count, channels, *size = maps.shape
        positions = xp.matrix_transpose(xp.reshape(maps, (count, channels, -1)))
        if self.centred:
            positions = positions - xp.mean(positions, axis=1, keepdims=True)
        u, s, _ = xp.linalg.svd(positions, full_matrices=False)
        first = u[:, :, 0] * s[:, :1]
        if not self.centred:
            first = xp.where(xp.sum(first, axis=1, keepdims=True) < 0, -first, first)
        values = xp.reshape(first, (count, *size))
        return Attribution(values, notes=zero_map_note(values, [layer]))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [EigenCAM]
