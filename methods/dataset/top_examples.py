"""Top examples: the images, and the places in them, that excite each unit of a layer most and least."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Source, State, Statistic
from crosslens.data.top_positions import TOP_KINDS
from crosslens.errors import ParameterError, unknown_name
from crosslens.execution.progress import Progress, silent
from crosslens.introspection.unit_layers import LAYERS_DOC, unit_layers
from crosslens.method import DatasetMethod, Method, param
from crosslens.model import Model
from crosslens.model.reduction import unit_axis
from crosslens.plugins import hookimpl
from crosslens.sheets.examples import Examples

from ..relevance.lrp import LRP
from ._before_rectifiers import before_rectifiers, rectifier_notes
from ._example_fields import LayerFields, field_notes, rectangles
from ._example_pictures import attribution_method, image_size, position_shapes, with_pictures
from ._top_relevance import TopStatistics, top_statistics

__all__ = ["TopExamples"]

Numbers = np.ndarray[Any, Any]
MOST_UNITS = 8
"""Units of a layer that are pictured where none are named, at most."""
ALL_UNITS = 64
"""Units of all layers that are pictured where none are named, at most, but one of each layer."""


@dataclass(frozen=True, kw_only=True)
class TopExamples(DatasetMethod):
    """Images and places that excite units most.

    The images, and the places in them, at which each unit answers most, least, and just above and below zero.

    Values are looked at before a layer's rectifier, where there are negative ones. Equal values are in the order of the
    images in the source, then of the positions. Zeiler and Fergus (2014, section 4) show the largest ones of a unit,
    cut to its receptive field, beside what of them it used; Olah et al. (2017, "Feature visualization") the smallest
    and those about zero too. By relevance, examples show what a unit is used for, not what it merely reacts to
    (Achtibat et al. 2023, section "relevance maximisation").
    """

    name = "top_examples"
    aliases: ClassVar[Mapping[str, str]] = {"dataset_examples": "", "max_activating_images": "", "top_k": ""}
    layers: tuple[str, ...] = param((), LAYERS_DOC)
    count: int = param(16, "examples of a unit and kind", minimum=1)
    by: str = param("activation", "or relevance for the predicted class (lrp)", choices=("activation", "relevance"))
    kinds: tuple[str, ...] = param(TOP_KINDS, f"which examples: {', '.join(TOP_KINDS)}")
    one_per_image: bool = param(True, "an image's best position only, or all positions of all images")
    before_rectifier: str = param(
        "auto",
        "look at what a layer's rectifier reads: where it has a name, never, or refuse where it has none",
        choices=("auto", "no", "yes"),
    )
    units: tuple[int, ...] = param(
        (), "units that get pictures; the first 8 of each layer if empty, fewer of many", minimum=0
    )
    shown: int = param(8, "examples of each kind in pictures", minimum=0)
    attribution: str | Method | None = param(
        "auto", "beside each example: a method by name; auto: guided_backprop, else gradient; none"
    )

    def check_parameters(self) -> None:
        super().check_parameters()
        if not self.kinds:
            raise ParameterError(f"kinds is empty; give one or several of {', '.join(TOP_KINDS)}")
        if wrong := [kind for kind in self.kinds if kind not in TOP_KINDS]:
            raise ParameterError(unknown_name("kind of examples", wrong[0], TOP_KINDS))
        if len(set(self.kinds)) < len(self.kinds):
            raise ParameterError(f"kinds holds a kind twice: {self.kinds}; give each once")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The layers by name."""
        layers = unit_layers(model, self.layers)
        return {} if layers == self.layers else {"layers": layers}

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        attribution_method(self.attribution, model)
        layers = unit_layers(model, self.layers)
        for name in layers:
            self._check_units(name, model.layer(name).shape)
        return list(self._statistics(model, source, self._looked_at(model)).values())

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> Examples:
        """Values, images and positions of all units, and the pictures of some."""
        statistics = self._statistics(model, source, looked_at := self._looked_at(model))
        values, indices, positions = (
            {
                layer: np.stack([gathered[statistics[at, kind]][part] for kind in self.kinds])
                for layer, at in looked_at.items()
            }
            for part in ("value", "image", "position")
        )
        shapes = position_shapes(model, source, looked_at)
        found = sorted({int(index) for each in indices.values() for index in np.unique(each)} - {-1})
        size = image_size(model, source)
        fields = {layer: LayerFields.of(model, at, shapes[layer], size) for layer, at in looked_at.items()}
        told = (f"values are relevance for the predicted class (lrp, {LRP.composite})",) * (self.by == "relevance")
        examples = Examples(
            kinds=self.kinds,
            values=values,
            indices=indices,
            positions=positions,
            rectangles={layer: rectangles(each, indices[layer], positions[layer]) for layer, each in fields.items()},
            shapes=shapes,
            looked_at=looked_at,
            names={index: source.ids[index] for index in found},
            labels={},
            image_size=size,
            by=self.by,
            notes=(*(told or rectifier_notes(model, looked_at, self.kinds)), *field_notes(fields)),
        )
        return self.with_pictures(examples, model, source, progress)

    def with_pictures(self, examples: Examples, model: Model, source: Source, progress: Progress = silent) -> Examples:
        """The examples with the pictures of this method's `units`, whose images are read again.

        Args:
            examples: what this method found, with whatever pictures.
            model: the network.
            source: the images.
            progress: called after each image that is read.
        """
        if not self.shown:
            return examples
        several = max(1, min(MOST_UNITS, ALL_UNITS // len(examples.values)))
        units = {
            layer: self.units or tuple(range(min(several, as_numpy(values).shape[1])))
            for layer, values in examples.values.items()
        }
        drawn = min(self.shown, self.count), attribution_method(self.attribution, model)
        return with_pictures(examples, model, source, units, drawn, progress)

    def _looked_at(self, model: Model) -> Mapping[str, str]:
        """By layer the one that is looked at; a rectifier passes relevance unchanged, so it hides none."""
        plain = self.by == "relevance" and self.before_rectifier == "auto"
        return before_rectifiers(model, unit_layers(model, self.layers), "no" if plain else self.before_rectifier)

    def _statistics(self, model: Model, source: Source, looked_at: Mapping[str, str]) -> TopStatistics:
        how = self.count, self.one_per_image, LRP.composite if self.by == "relevance" else ""
        return top_statistics(model, source, tuple(dict.fromkeys(looked_at.values())), self.kinds, how)

    def _check_units(self, layer: str, shape: Sequence[int | None]) -> None:
        units = shape[unit_axis(len(shape))]
        if units is not None and self.units and max(self.units) >= units:
            raise ParameterError(f"units are {self.units}; layer {layer!r} has {units}, 0 to {units - 1}")


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [TopExamples]
