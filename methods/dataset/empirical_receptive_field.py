"""Empirical receptive fields (Zhou et al. 2015, "Object Detectors Emerge in Deep Scene CNNs", section 3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.top_positions import TopPositions
from crosslens.errors import ImageError, LayerError
from crosslens.execution.progress import Progress
from crosslens.introspection.unit_layers import LAYERS_DOC, unit_layers
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.receptive import Rectangle, unit_field
from crosslens.sheets.empirical_fields import EmpiricalFields, place_of_field

from ._discrepancy import Occluder, centred_mean, discrepancy_map

__all__ = ["EmpiricalReceptiveField"]

FIRST_UNITS = 3
"""Units of a layer where none are named."""


@dataclass(frozen=True, kw_only=True)
class EmpiricalReceptiveField(DatasetMethod):
    """The part of the picture that a unit really uses.

    The part of the picture that a unit really uses (Zhou et al. 2015, https://arxiv.org/abs/1412.6856, section 3.2),
    beside its theoretical receptive field: a small square of random pixels is slid over the unit's top pictures; the
    changes of its activation, centred at the unit's position, are averaged over these.

    The paper does not say how an area comes of the average. Here it is where the change is more than `threshold` of the
    largest: at one half, the square's own size cancels for a unit that weighs its field evenly. The size is the root of
    the area. The paper takes 200 pictures and a stride of 3.
    """

    name = "empirical_receptive_field"
    example: ClassVar[Mapping[str, Any]] = {"layers": ("conv2",), "count": 2, "window": 3, "stride": 2}

    layers: tuple[str, ...] = param((), LAYERS_DOC)
    units: tuple[int, ...] = param((), f"units, counted from 0; the first {FIRST_UNITS} if empty")
    count: int = param(5, "top pictures of a unit", minimum=1)
    window: int = param(11, "side of the square of random pixels, in pixels", minimum=1)
    stride: int | None = param(None, "pixels between squares; 3, or more for large fields, if not given", minimum=1)
    threshold: float = param(
        0.5, "share of the largest change above which pixels belong to the field", minimum=0, below=1
    )
    seed: int = param(0, "seed of the random pixels", minimum=0)

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The layers by name."""
        layers = unit_layers(model, self.layers)
        return {} if layers == self.layers else {"layers": layers}

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(f"receptive fields are of networks of pictures (C, H, W), not {model.input.shape}")
        return [TopPositions(layer, self.count) for layer in unit_layers(model, self.layers)]

    def finish(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress
    ) -> EmpiricalFields:
        asked = [(each, unit) for each, state in gathered.items() for unit in self._units(each, state)]
        rows = []
        for n, (statistic, unit) in enumerate(asked):
            assert isinstance(statistic, TopPositions)
            rows.append(self._row(model, source, statistic.layer, unit, gathered[statistic]))
            progress(n + 1, len(asked), f"{statistic.layer}, unit {unit}")
        columns = {name: np.array([row[name] for row in rows]) for name in rows[0] if name not in {"map", "example"}}
        return EmpiricalFields(
            columns,
            np.stack([row["map"] for row in rows]).astype(np.float32),
            np.stack([row["example"] for row in rows]),
        )

    def _units(self, statistic: Statistic, state: State) -> Sequence[int]:
        count = len(state["image"])
        if wrong := [unit for unit in self.units if not 0 <= unit < count]:
            layer = getattr(statistic, "layer", "")
            raise LayerError(f"layer {layer!r} has {count} units, counted from 0; received unit {wrong[0]}")
        return self.units or range(min(FIRST_UNITS, count))

    def _row(self, model: Model, source: Source, layer: str, unit: int, state: State) -> Mapping[str, Any]:
        """One unit of a layer: its discrepancy maps over its top pictures, averaged, and what comes of them."""
        occluder = Occluder(self.window, self.stride, self.seed)
        maps, centres, pictures = [], [], []
        field: Rectangle | None = None
        for index, position in zip(state["image"][unit].tolist(), state["position"][unit].tolist(), strict=True):
            if index < 0:
                continue
            image = source.read(index, index + 1, model).images
            size = (int(image.shape[2]), int(image.shape[3]))
            field = unit_field(model, layer, position, unit=unit, size=size)
            maps.append(discrepancy_map(model, layer, image, unit, position, field, occluder))
            centres.append(place_of_field(field, size))
            pictures.append(image)
        mean = centred_mean(maps, centres)
        inside = mean > self.threshold * mean.max() if mean.max() > 0 else np.zeros(mean.shape, bool)
        area, whole = int(inside.sum()), field is None
        height, width = size if field is None else _theoretical(field)
        return {
            "layer": layer,
            "unit": unit,
            "pictures": len(maps),
            "theoretical": "whole image" if whole else f"{height} x {width}",
            "size": float(np.sqrt(area)),
            "area": area,
            "share": area / (height * width),
            "change": float(mean.max()),
            "map": mean,
            "example": EmpiricalFields.example(pictures[0], inside, centres[0], model.input.bounds or (0.0, 1.0)),
        }


def _theoretical(field: Rectangle) -> tuple[int, int]:
    top, left, bottom, right = field.unclipped
    return bottom - top, right - left


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [EmpiricalReceptiveField]
