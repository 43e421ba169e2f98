"""Network dissection (Bau et al. 2017, https://arxiv.org/abs/1704.05796)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.data import Source, State, Statistic, TopPositions, concepts_of
from crosslens.dissection.basis import BASES, UNITS, Basis, basis_of
from crosslens.dissection.dissection import Dissection
from crosslens.dissection.enlargement import ENLARGEMENTS
from crosslens.dissection.label_planes import CategoriesOfImages, OtherLabels, categories_by_place
from crosslens.dissection.overlaps import COUNTED, Overlaps
from crosslens.dissection.thresholds import QUANTILE_RULES, ThresholdRule
from crosslens.errors import LayerError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.unit_layers import LAYERS_DOC, unit_layers
from crosslens.method import DatasetMethod, param
from crosslens.method.preset import Preset
from crosslens.model import Model
from crosslens.plugins import hookimpl

from ._rows import Found, columns_of, images_of, notes_of, score_matrix
from ._unit_pictures import best_units, pictured_units, unit_pictures, with_pictures

__all__ = ["Dissect"]

Gathered = Mapping[Statistic, State]
SHOWN = 8
"""Units of a layer that get pictures where none are named: of each concept the best, then others."""


@dataclass(frozen=True, kw_only=True)
class Dissect(DatasetMethod):
    """Which labelled concept each unit detects.

    Network dissection (Bau et al. 2017): a unit's threshold is the value that 0.5 % of its values over all pictures and
    positions exceed; its maps, enlarged to the size of the labels, are cut there; the concept whose pixels fit the mask
    best, by intersection over union (IoU) over the pictures that have a label of the concept's category, is the unit's,
    and it is a detector above an IoU of 0.04. The data have labelled pixels, as `crosslens.concept_data` reads them and
    `crosslens shapes` makes some.

    The null says what an IoU is worth: the same with the labels of other pictures that have the category, so that the
    best of all concepts stands beside the best by chance. `basis=random:0` dissects as many random orthogonal
    directions of the layer beside its units.

    It takes five passes over the data: four for exact quantiles, one for the overlaps.
    """

    name = "dissect"
    reads_labels = True
    aliases: ClassVar[Mapping[str, str]] = {"network_dissection": "", "netdissect": ""}
    presets: ClassVar[Mapping[str, Preset]] = {
        "netdissect": Preset(
            {"quantile": 994 / 999, "quantile_rule": "linear", "enlarge": "whole_pixels"},
            doc="reads the threshold off a table of 1,000 steps, here without its sampling; centres in whole pixels",
        ),
        "netdissect-lite": Preset(
            {"quantile": 994 / 999, "quantile_rule": "linear", "enlarge": "pillow", "counted": "under_mask"},
            doc="counts a unit's pixels only where a label of the category lies under its mask: larger IoU",
        ),
        "dissect": Preset(
            {
                "quantile": 0.99, "quantile_rule": "hazen", "quantile_of": "enlarged", "enlarge": "zeros",
                "counted": "all",
            },
            doc="the top 1 % of enlarged maps; all pictures count, with a label of the category or without",
        ),
    }  # fmt: skip
    layers: tuple[str, ...] = param((), LAYERS_DOC)
    basis: str = param("units", "units, or random directions beside them", choices=BASES)
    minimum_iou: float = param(0.04, "IoU above which a unit is a detector", minimum=0, below=1)
    null: bool = param(True, "the same with the labels of other pictures, which are read again for it")
    seed: int = param(0, "which other picture's labels a picture gets in the null", minimum=0)
    quantile: float = param(0.995, "share of a unit's values up to its threshold", above=0, below=1)
    quantile_rule: str = param("exact", "a value that occurs, or one between two", choices=QUANTILE_RULES)
    quantile_of: str = param("activations", "as they are, or as enlarged", choices=("activations", "enlarged"))
    enlarge: str = param("fields", "where values stand in the picture", choices=ENLARGEMENTS)
    counted: str = param("category", "the pictures in which a unit's pixels count", choices=COUNTED)
    units: tuple[int, ...] = param(
        (), f"units that get pictures; {SHOWN} if empty, the best of each concept first", minimum=0
    )
    examples: int = param(5, "pictures of a unit, those with its largest values", minimum=0)

    def check_parameters(self) -> None:
        super().check_parameters()
        basis_of(self.basis)

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The layers by name."""
        layers = unit_layers(model, self.layers)
        return {} if layers == self.layers else {"layers": layers}

    def statistics(self, model: Model, source: Source, gathered: Gathered | None = None) -> Sequence[Statistic]:
        known, concepts, layers = gathered or {}, concepts_of(source), unit_layers(model, self.layers)
        for layer in layers:
            self._check_layer(layer, model.layer(layer).shape)
        asked: list[Statistic] = [CategoriesOfImages(concepts)] if self.null else []
        asked += [TopPositions(layer, self.examples) for layer in layers if self.examples]
        for layer in layers:
            for basis in basis_of(self.basis):
                needed, thresholds = self._threshold_rule.of(layer, basis, known)
                asked += needed
                if thresholds is not None:
                    asked.append(self._overlaps(source, layer, basis, thresholds.tobytes(), known))
        return list(dict.fromkeys(asked))

    def _check_layer(self, layer: str, shape: Sequence[int | None]) -> None:
        if len(shape) not in {2, 4}:
            raise LayerError(
                f"layer {layer!r} gives {tuple(shape)[1:]} for each picture; dissect takes maps (units, h, w), or "
                "vectors (units,): name such a layer"
            )
        if self.units and shape[1] is not None and max(self.units) >= shape[1]:
            raise ParameterError(f"units are {self.units}; layer {layer!r} has {shape[1]}, 0 to {shape[1] - 1}")

    @property
    def _threshold_rule(self) -> ThresholdRule:
        return ThresholdRule(self.quantile, self.quantile_rule, self.enlarge * (self.quantile_of == "enlarged"))

    def _overlaps(self, source: Source, layer: str, basis: Basis, thresholds: bytes, known: Gathered) -> Overlaps:
        concepts, null = concepts_of(source), None
        if self.null:
            has = categories_by_place(known[CategoriesOfImages(concepts)], len(source))
            null = OtherLabels(source.digest, self.seed, source, concepts, has)
        return Overlaps(layer, thresholds, concepts, basis, self.enlarge, self.counted, null)

    def finish(self, model: Model, source: Source, gathered: Gathered, progress: Progress) -> Dissection:
        concepts, found = concepts_of(source), []
        for layer in unit_layers(model, self.layers):
            for basis in basis_of(self.basis):
                _, thresholds = self._threshold_rule.of(layer, basis, gathered)
                assert thresholds is not None
                overlaps = self._overlaps(source, layer, basis, thresholds.tobytes(), gathered)
                found.append(Found(layer, basis, thresholds, gathered[overlaps]))
        ious = score_matrix(found, concepts)
        nulls = score_matrix(found, concepts, "null_") if self.null else None
        result = Dissection(
            columns_of(found, concepts, ious, nulls, self.minimum_iou),
            concepts=concepts.names,
            categories=concepts.categories,
            ious=ious,
            null_ious=nulls,
            minimum_iou=self.minimum_iou,
            images_of=images_of(found, concepts),
            notes=notes_of(model, found, concepts, self.null),
        )
        if not self.examples:
            return result
        units = {each.layer: self.units or best_units(result, each.layer, SHOWN) for each in found}
        tops = {layer: gathered[TopPositions(layer, self.examples)] for layer in units}
        cuts = {each.layer: each.thresholds for each in found if each.basis == UNITS}
        pictured = pictured_units(result, units, cuts, tops)
        return with_pictures(result, unit_pictures(pictured, model, source, self.enlarge, progress), pictured)


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [Dissect]
