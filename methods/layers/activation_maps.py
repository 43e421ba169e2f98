"""Activation maps: what each unit of a layer answers to a picture, place by place.

Yosinski et al., 2015, Understanding neural networks through deep visualization, figure 1, show whole layers so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array, namespace
from crosslens.errors import LayerError, ModelError
from crosslens.execution.progress import Progress
from crosslens.introspection.unit_layers import unit_layers
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.model.layout import tokens_to_maps
from crosslens.objective import Objective
from crosslens.plugins import hookimpl
from crosslens.sheets.activation_maps import ActivationMaps as MapSheet

__all__ = ["ActivationMaps"]

_WORDS = frozenset({"all", "rectified"})


@dataclass(frozen=True, kw_only=True)
class ActivationMaps(Method):
    """All maps of layers for a picture, strongest first.

    The result holds every unit's raw activations; the picture shows the sum over the units of each layer and its
    strongest maps, beside the picture that they answer to.
    """

    name = "activation_maps"
    aliases: ClassVar = {"feature_maps": "", "activations": ""}
    needs_target = False
    volumes = True
    layers: tuple[str, ...] | None = param(
        None, 'layers, by name, or "all" with units, or "rectified"; the default layer if not given'
    )
    by: str = param("maximum", "what the strongest maps have most of, over positions", choices=("maximum", "mean"))
    count: int = param(14, "maps that the picture shows of each layer", minimum=1)
    scale: str = param("layer", "what has a colour scale of its own: each layer, or each map", choices=("layer", "map"))

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        if self.layers and not _WORDS.intersection(self.layers):
            return {}
        return {"layers": unit_layers(model, self.layers or ())}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> MapSheet:
        """The activations of each layer at each image, raw."""
        names = unit_layers(model, self.layers or ())
        activations = model.forward(images, names)
        maps = {name: _as_maps(activations[name], images) for name in names}
        for name, values in maps.items():
            if not bool(namespace(values).all(namespace(values).isfinite(values))):
                raise ModelError(
                    f"layer {name!r} gives NaN or infinite values for these images; look at the network's weights, and "
                    "at the preprocessing (preprocess=)"
                )
        return MapSheet(maps=maps, by=self.by, count=self.count, own_scale=self.scale == "map")


def _as_maps(values: Array, images: Array) -> Array:
    """Tokens (N, T, D) as maps (N, D, h, w) where they are a grid of patches, else (N, D, 1, T); others as they are."""
    if values.ndim != 3:
        return values
    try:
        return tokens_to_maps(values, (images.shape[2], images.shape[3]) if images.ndim == 4 else None)
    except LayerError:
        xp = namespace(values)
        return xp.permute_dims(values, (0, 2, 1))[:, :, None, :]


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """The method of this module."""
    return [ActivationMaps]
