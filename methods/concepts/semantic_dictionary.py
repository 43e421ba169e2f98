"""Semantic dictionaries (Olah et al. 2018, "The Building Blocks of Interpretability", Distill)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.concepts.unit_dictionary import UnitDictionary
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress, part_of
from crosslens.image.false_colour import pixels
from crosslens.introspection.default_layer import default_layer
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, channel, direction
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result.display import counted

from ._climbed import ClimbOptions, before_rectifier
from ._example_icons import example_icons
from ._layer_maps import LayerMaps, layer_maps
from ._positions import chosen_positions, read_positions

__all__ = ["SemanticDictionary"]

Pixels = np.ndarray[Any, Any]
Place = tuple[int, int]
DATA = "data:"
POWER = 1.0
"""Of the cosine with which a position's whole activation is climbed, as the groups of `concept_groups` are."""
ICONS = ("visualise", "none", f"{DATA}STORE")


@dataclass(frozen=True, kw_only=True)
class SemanticDictionary(ClimbOptions, Method):
    """Each position's strongest units, as pictures.

    At each position of a layer the units with the largest activations above 0, each shown by a picture of what it looks
    for, with what it contributes to the target: activation times gradient. Contributions of all units at all positions
    add up to the linear attribution of the layer; before a linear head without a bias, to the target itself. Of equal
    activations, such as those at the cap of a ReLU6, the larger contribution goes first.

    Positions are rows and columns of the layer, `positions="2,1;5,4"`. If none are named, those are shown that
    contribute most to the target, none next to another.

    A unit's picture is climbed once, however often it is shown; `icons="data:STORE"` shows instead the image of a data
    set that excited it most, which a sweep with top_examples has found.
    """

    name = "semantic_dictionary"
    batched = False
    example: ClassVar = {"steps": 2, "positions_shown": 2, "count": 2}
    layer: str | None = param(None, "layer with maps (N, C, H, W) or tokens; the last one with maps if not given")
    positions: Any = param(
        None,
        "which, ROW,COLUMN;ROW,COLUMN of the layer, or all; if not given, those most for the target, apart",
    )
    positions_shown: int = param(6, "how many, where they are not named", minimum=1)
    count: int = param(4, "units at each position", minimum=1)
    icons: Any = param("visualise", "pictures of units: climbed, none, or examples in a store", choices=ICONS)
    whole: bool = param(False, "also climb a picture of each position's whole activation, all units at once")

    def check_parameters(self) -> None:
        super().check_parameters()
        if not isinstance(self.icons, str):
            raise ParameterError(f"icons is {self.icons!r}; it must be {', '.join(ICONS)}")
        if self.positions is not None:
            read_positions(self.positions)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": default_layer(model, objective, images)}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> UnitDictionary:
        """Activations and contributions of all units, and icons of those that are shown."""
        layer = model.layer(self.layer or default_layer(model, objective, images)).name
        found = layer_maps(model, images, objective, layer)
        contributions = found.activations * found.gradients
        places = tuple(
            chosen_positions(*each, self.positions, self.positions_shown, layer)
            for each in zip(found.activations, contributions, strict=True)
        )
        told = part_of(progress, 0, 1 + self.whole)
        shown = UnitDictionary(
            layer=layer,
            activations=like(found.activations, images),
            contributions=like(contributions, images),
            scores=found.scores,
            targets=found.targets(model),
            places=places,
            count=min(self.count, found.activations.shape[1]),
            icons_from=self.icons,
        )
        return self._with_pictures(shown, model, found, told, part_of(progress, 1, 2))

    def _with_pictures(
        self, shown: UnitDictionary, model: Model, found: LayerMaps, of_units: Progress, of_positions: Progress
    ) -> UnitDictionary:
        active = [shown.strongest(n, place) for n, own in enumerate(shown.places) for place in own]
        units = sorted({unit for each in active for unit in each})
        idle = f"no unit is active at {active.count([])} of {counted(len(active), 'position')} of {shown.layer!r}"
        icons, notes = self._icons(model, shown.layer, units, of_units)
        whole, more = self._whole(model, shown, found, of_positions) if self.whole else ({}, ())
        kept = tuple(unit for unit in units if unit in icons)
        return replace(
            shown,
            units=kept,
            icons=tuple(icons[unit] for unit in kept),
            whole=whole,
            notes=tuple(dict.fromkeys((*(idle,) * ([] in active), *notes, *more))),
        )

    def _icons(
        self, model: Model, layer: str, units: Sequence[int], progress: Progress
    ) -> tuple[Mapping[int, Pixels], tuple[str, ...]]:
        if self.icons == "none" or not units:
            return {}, ()
        if self.icons.startswith(DATA):
            return example_icons(Path(self.icons.removeprefix(DATA)), model, layer, units)
        at, notes = before_rectifier(model, layer)
        made, more = self.climbed(model, [channel(at, unit) for unit in units], progress)
        return {unit: pixels(picture) for unit, picture in zip(units, made, strict=True)}, (*notes, *more)

    def _whole(
        self, model: Model, shown: UnitDictionary, found: LayerMaps, progress: Progress
    ) -> tuple[Mapping[str, Pixels], tuple[str, ...]]:
        """A picture of the direction of the activation at each position that is shown."""
        at, notes = before_rectifier(model, shown.layer)
        where = [(n, y, x) for n, own in enumerate(shown.places) for y, x in own]
        aims = [direction(at, found.activations[n, :, y, x], POWER) for n, y, x in where]
        made, more = self.climbed(model, aims, progress)
        pictures = {f"{n},{y},{x}": pixels(each) for (n, y, x), each in zip(where, made, strict=True)}
        return pictures, (*notes, *more)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [SemanticDictionary]
