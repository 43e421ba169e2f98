"""`Dissection`: for each unit the concept that its mask fits best, beside chance; counts, sheets and plots."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError, ParameterError, unknown_name
from ..files.whole_file import whole_file
from ..image.io import save_image
from ..result.display import Pixels, counted
from ..result.formats import PICTURES, write_picture
from ..result.selection import items_at
from ..result.table import Table
from ..sheets.grid import sheet
from ..sheets.tile import Tile
from .bar_chart import drawn, plot_concepts
from .listing import listing

__all__ = ["Dissection"]

Numbers = np.ndarray[Any, Any]
SIDE = 96
"""Pixels up to which small pictures are enlarged in a sheet."""


@dataclass(frozen=True, kw_only=True)
class Dissection(Table):
    """One row for each unit of each layer, and for each random direction where there are such.

    Columns: "layer"; "basis", "units" or "directions"; "unit"; "concept" and "category", those with the largest
    intersection over union, empty where no mask meets any label; "iou"; "null_concept" and "null_iou", the same with
    the labels of other pictures, NaN without a null; "threshold"; "detector", whether "iou" is above `minimum_iou`.
    """

    concepts: tuple[str, ...]
    """K names."""
    categories: tuple[str, ...]
    """Of each concept."""
    ious: Array
    """(rows, K), float64."""
    null_ious: Array = None
    """(rows, K), float64: with the labels of other pictures; None without a null."""
    minimum_iou: float
    images_of: Mapping[str, int] = field(default_factory=dict)
    """By category, the pictures that have a label of it."""
    pictured: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """By layer, the S units that have pictures, the best first."""
    pictures: Mapping[str, Array] = field(default_factory=dict)
    """By layer, (S, n, h, w, 3), uint8: the pictures with the unit's largest values, its mask outlined in yellow, the
    labels of its concept in cyan; white where there are fewer."""
    answers: Mapping[str, Array] = field(default_factory=dict)
    """By layer, (S, n), float32: the unit's largest value in each; NaN where there are fewer."""
    _item: ClassVar[str] = "unit"
    _kind: ClassVar[str] = "dissection"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices: ClassVar[str] = ".png, .jpg or .webp for the sheet, .npz for everything, .csv or .parquet for the table"

    @property
    def layers(self) -> tuple[str, ...]:
        """As they were asked for."""
        return tuple(dict.fromkeys(as_numpy(self.columns["layer"]).tolist()))

    @property
    def bases(self) -> tuple[str, ...]:
        """ "units", and "directions" where these were dissected too."""
        return tuple(dict.fromkeys(as_numpy(self.columns["basis"]).tolist()))

    def bases_of(self, layer: str) -> tuple[str, ...]:
        """Those of the rows of a layer."""
        return tuple(basis for basis in self.bases if len(self.rows_of(layer, basis)))

    def rows_of(self, layer: str, basis: str = "units") -> Numbers:
        """The places of a layer's units, or directions, in the table.

        Raises:
            ParameterError: the table has none.
        """
        for name, known, what in ((layer, self.layers, "layer"), (basis, self.bases, "basis")):
            if name not in known:
                raise ParameterError(unknown_name(what, name, known, of="this dissection"))
        columns = (as_numpy(self.columns[name]) for name in ("layer", "basis"))
        return np.flatnonzero(np.logical_and(*(c == n for c, n in zip(columns, (layer, basis), strict=True))))

    def detectors(self, layer: str, basis: str = "units") -> Mapping[tuple[str, str], int]:
        """How many units detect each concept (category, name), by category, then the most frequent first."""
        rows = self.rows_of(layer, basis)
        rows = rows[as_numpy(self.columns["detector"])[rows]]
        found = Counter(
            zip(*(as_numpy(self.columns[name])[rows].tolist() for name in ("category", "concept")), strict=True)
        )
        order = list(dict.fromkeys(self.categories))
        return dict(sorted(found.items(), key=lambda each: (order.index(each[0][0]), -each[1], each[0][1])))

    def text(self, rows: int | None = None) -> str:
        """What each layer's units detect, by category, beside chance and directions; then `rows` units, or all, those
        with the largest IoU first.
        """
        return listing(self, rows)

    def figures(self) -> Mapping[str, Any]:
        """By layer, and by basis where there are several: units, detectors and what they detect, beside chance."""
        single = len(self.bases) == 1
        found = {layer: {each: self._figures(layer, each) for each in self.bases_of(layer)} for layer in self.layers}
        return {layer: next(iter(each.values())) if single else each for layer, each in found.items()}

    def _figures(self, layer: str, basis: str) -> Mapping[str, Any]:
        rows, found = self.rows_of(layer, basis), self.detectors(layer, basis)
        iou, null = (as_numpy(self.columns[name])[rows] for name in ("iou", "null_iou"))
        by_category = Counter(category for category, _ in found)
        chance = {} if self.null_ious is None else {
            "null_detectors": int((null > self.minimum_iou).sum()),
            "above_all_nulls": int((iou > null.max()).sum()),
            "largest_null_iou": float(null.max()),
        }  # fmt: skip
        return {
            "units": len(rows),
            "detectors": sum(found.values()),
            "concepts": len(found),
            **chance,
            "concepts_by_category": {name: by_category[name] for name in dict.fromkeys(self.categories)},
        }

    def details(self) -> Mapping[str, Any]:
        """The columns, and the figures."""
        return {**super().details(), "figures": self.figures(), "images_of": dict(self.images_of)}

    def in_words(self, layer: str) -> str:
        """Such as "conv3: 7 of 96 units detect 4 concepts (by chance 0)"."""
        found = {basis: self._figures(layer, basis) for basis in self.bases_of(layer)}
        return f"{layer}: " + "; ".join(_in_words(basis, each) for basis, each in found.items())

    def _facts(self) -> Iterator[str]:
        for layer in self.layers:
            yield self.in_words(layer)

    def _at(self, places: Sequence[int]) -> "Dissection":
        table = super()._at(places)
        assert isinstance(table, Dissection)
        null = None if self.null_ious is None else items_at(self.null_ious, places)
        return replace(table, ious=items_at(self.ious, places), null_ious=null)._with_pictures_of_rows()

    def _with_pictures_of_rows(self) -> "Dissection":
        """With the pictures of those units alone that the table has."""
        rows = {layer: self._row_by_unit(layer) for layer in self.layers}
        kept = {
            layer: [slot for slot, unit in enumerate(units) if unit in rows.get(layer, ())]
            for layer, units in self.pictured.items()
        }
        slots = {layer: chosen for layer, chosen in kept.items() if chosen}
        return replace(
            self,
            pictured={layer: tuple(self.pictured[layer][slot] for slot in each) for layer, each in slots.items()},
            pictures={layer: items_at(self.pictures[layer], each) for layer, each in slots.items()},
            answers={layer: items_at(self.answers[layer], each) for layer, each in slots.items()},
        )

    def _row_by_unit(self, layer: str) -> Mapping[int, int]:
        if "units" not in self.bases:
            return {}
        rows = self.rows_of(layer)
        return dict(zip(as_numpy(self.columns["unit"])[rows].tolist(), rows.tolist(), strict=True))

    def sheet(self, layer: str) -> Pixels:
        """A row for each pictured unit of a layer: its top pictures, the best unit first, (H, W, 3), uint8.

        Raises:
            ParameterError: no unit of the layer has pictures.
        """
        if layer not in self.pictured:
            raise ParameterError(unknown_name("layer", layer, self.pictured, of="these pictures"))
        row_of = self._row_by_unit(layer)
        rows, titles = [], []
        for place, unit in enumerate(self.pictured[layer]):
            values = as_numpy(self.answers[layer])[place]
            drawings = as_numpy(self.pictures[layer])[place]
            rows.append(
                [
                    Tile(each, f"{value:.3g}")
                    for each, value in zip(drawings, values, strict=True)
                    if not np.isnan(value)
                ]
            )
            titles.append(self._title(row_of[unit], unit))
        return sheet(rows, titles, self.in_words(layer), smallest=SIDE)

    def _title(self, row: int, unit: int) -> str:
        concept, category, iou, null = (self.columns[name][row] for name in ("concept", "category", "iou", "null_iou"))
        chance = "" if np.isnan(null) else f", by chance {float(null):.3f}"
        return f"unit {unit}: {concept} ({category}), IoU {float(iou):.3f}{chance}" if concept else f"unit {unit}: none"

    def picture(self) -> Pixels:
        """The sheets of all layers, one under the other.

        Raises:
            ImageError: there are no pictures.
        """
        if not self.pictured:
            raise ImageError("this dissection has no pictures; ask for some, examples=5, or save it as .csv or .npz")
        return _stacked([self.sheet(layer) for layer in self.pictured])

    def _scale(self, pixels: Pixels) -> int:
        return 1

    def plot(self, axes: Any, layer: str | None = None) -> Any:
        """Draw how many units detect each concept as bars on matplotlib axes, which are returned; the last layer's if
        none is named. Directions, where there are such, stand beside.
        """
        layer = self.layers[-1] if layer is None else layer
        found = {basis: self.detectors(layer, basis) for basis in self.bases_of(layer)}
        return plot_concepts(axes, layer, found, list(dict.fromkeys(self.categories)))

    def save_into(self, folder: Path) -> Sequence[Path]:
        """The table as Parquet, a sheet of each layer, and charts where matplotlib is installed."""
        written, charts = [], []
        for layer in self.layers:
            name = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in layer)
            if layer in self.pictured:
                with whole_file(folder / f"{name}.png") as temporary, temporary.open("wb") as file:
                    write_picture(self.sheet(layer), ".png", file, 95)
                written.append(folder / f"{name}.png")
            try:
                charts.append(drawn(lambda axes, layer=layer: self.plot(axes, layer), self._bars(layer)))  # type: ignore[misc]
            except ImageError:
                continue
        if charts:
            save_image(np.moveaxis(_stacked(charts), -1, 0) / np.float32(255), folder / "concepts.png")
            written.append(folder / "concepts.png")
        return [*written, *super().save_into(folder)]

    def _bars(self, layer: str) -> int:
        return len({each for basis in self.bases_of(layer) for each in self.detectors(layer, basis)})


def _stacked(drawings: Sequence[Pixels]) -> Pixels:
    """One under the other, on white."""
    width = max(each.shape[1] for each in drawings)
    return np.concatenate(
        [np.pad(each, ((0, 0), (0, width - each.shape[1]), (0, 0)), constant_values=255) for each in drawings]
    )


def _in_words(basis: str, found: Mapping[str, Any]) -> str:
    """Such as "7 of 96 units detect 4 concepts (by chance 0)"."""
    chance = f" (by chance {found['null_detectors']})" if "null_detectors" in found else ""
    if not found["detectors"]:
        return f"none of {found['units']} {basis} detects a concept{chance}"
    return f"{found['detectors']} of {found['units']} {basis} detect {counted(found['concepts'], 'concept')}{chance}"
