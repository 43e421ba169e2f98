"""Activation atlases (Carter, Armstrong, Schubert, Johnson and Olah 2019, "Activation Atlas", Distill)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.errors import ImageError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.introspection.unit_layers import unit_layers
from crosslens.layouts import LAYOUTS, Layout, lay_out
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.sheets.atlas import Atlas

from ..concepts._climbed import ClimbOptions
from ._atlas_cells import Cells, cells_of, chosen_positions, directions_of, named, refuse_few
from ._atlas_notes import left_out_note, without_classes
from ._atlas_sample import (
    PositionOptions,
    checked_sample,
    earlier_atlas,
    gathered_sample,
    refuse_input,
    same_layout,
)
from ._mean_colour import MeanColour
from ._whitening import whitened

__all__ = ["ActivationAtlas"]

States = Mapping[Statistic, State]
Numbers = np.ndarray[Any, Any]
AUTO = "auto"
DARKEST, BRIGHTEST = 0.03, 0.97
"""Of the colour that pictures start from: at 0 and 1 the sigmoid has no slope."""


@dataclass(frozen=True, kw_only=True)
class ActivationAtlas(ClimbOptions, PositionOptions, DatasetMethod):
    """A map of what a layer sees, in pictures.

    Activations at random positions of many images are laid out in a plane by their cosines, and a grid is laid over it.
    The mean activation m of each cell with enough positions is shown by a picture: from the data's mean colour it
    climbs <v, a> max(0.1, cos(v, a))^4 in the middle of the layer's maps (of tokens: everywhere), v being m whitened by
    the second moment of all activations.

    Classes are those that a cell's positions add most to on average: gradient of the logit times activation at each
    position, a linear approximation, as in the paper; of more than 32 classes it is measured by central differences.

    `sample=` makes another atlas of the same positions without a sweep, also in a store; the layout stays where the
    same one is asked for.
    """

    name = "activation_atlas"
    example: ClassVar[Mapping[str, Any]] = {
        "layer": "conv2", "layout": "pca", "cells": 2, "minimum": 1, "steps": 2, "per_image": 4
    }  # fmt: skip
    layer: str | None = param(None, "layer; the last maps before the output if not given")
    cells: int = param(8, "along each axis of the grid", minimum=1)
    minimum: int = param(10, "positions that a cell must hold to be shown", minimum=1)
    layout: str = param(AUTO, "auto: umap where umap-learn is installed, else tsne", choices=(AUTO, *LAYOUTS))
    classes: int = param(3, "classes named for each cell; 0 for none, which saves passes", minimum=0)
    target: Any = param(None, "a class: lay out only positions that have it among the classes they add most to")
    ridge: float = param(1.0, "whitening: added to the second moment, in mean eigenvalues; 0: the paper's", minimum=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        self._refuse_both()
        if self.target is not None and not self.classes:
            raise ParameterError("classes is 0, and target chooses positions by their classes: give classes=1 or more")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        if self.layer is not None:
            return {}
        earlier = earlier_atlas(self.sample)
        return {"layer": earlier.layer if earlier else default_layer(model)}

    def _layer(self, model: Model) -> str:
        (layer,) = unit_layers(model, [str(self.layer)])
        return refuse_input(layer)

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        if not model.input.is_image or len(model.input.example_shape) != 3:
            raise ImageError(f"an atlas is of a network of pictures (C, H, W), not {model.input.shape}")
        layer = self._layer(model)
        if self.sample is not None:
            return []
        statistic = self._statistic(model, layer, self.seed, self.classes)
        if not hasattr(statistic, "classes") and self.target is not None:
            raise ParameterError(f"target is {self.target!r}, and this network gives {model.output}: it has no classes")
        refuse_few(min(len(source) * statistic.per_image, statistic.count), self.minimum)
        return [statistic, MeanColour()]

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> Atlas:
        earlier, layer = earlier_atlas(self.sample), self._layer(model)
        sample = earlier.sample if earlier else gathered_sample(model, gathered)
        notes = checked_sample(earlier, layer, source, model) if earlier else left_out_note(sample, len(source))
        rows, effects = np.asarray(sample["activation"]), np.asarray(sample["effect"])
        target, chosen = chosen_positions(model, self.target, effects, self.classes)
        layout = self._layout(rows, chosen, earlier)
        found = cells_of(layout.points, self.cells, self.minimum)
        means = found.mean(rows)
        vectors = whitened(rows, means, self.ridge)
        pictures, more = self._pictures(model, layer, vectors, found, np.asarray(sample["mean_colour"]), progress)
        attributions = found.mean(effects)
        names = model.output.names(model.labels) if effects.shape[1] else ()
        return Atlas(
            {**found.columns, **named(attributions, self.classes, names)},
            layer=layer,
            cells=self.cells,
            pictures=pictures,
            means=means.astype(np.float32),
            directions=vectors,
            attributions=attributions,
            layout=layout,
            cell_of=found.cell_of,
            sample=sample,
            target=target,
            notes=(*notes, *layout.notes, *without_classes(effects, self.classes), *more),
            provenance={"source": earlier.provenance["source"]} if earlier else {},
        )

    def _layout(self, rows: Numbers, chosen: Numbers, earlier: Atlas | None) -> Layout:
        name = self.layout if self.layout != AUTO else "umap" if find_spec("umap") else "tsne"
        if earlier and same_layout(earlier.layout, name, self.seed, chosen):
            return earlier.layout
        metric = {} if name == "pca" else {"metric": "cosine"}
        layout = lay_out(np.where(chosen[:, None], rows, np.nan), name, 2, seed=self.seed, **metric)
        return replace(layout, state={}, placing=None)

    def _pictures(
        self, model: Model, layer: str, vectors: Numbers, found: Cells, colour: Numbers, progress: Progress
    ) -> tuple[Numbers, tuple[str, ...]]:
        start = np.broadcast_to(colour.clip(DARKEST, BRIGHTEST)[:, None, None], (len(vectors), len(colour), 1, 1))

        def told(done: int, total: int, what: str) -> None:
            progress(done, total, "pictures of cells")

        return self.climbed(model, directions_of(layer, vectors, found), told, np.ascontiguousarray(start, np.float32))


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [ActivationAtlas]
