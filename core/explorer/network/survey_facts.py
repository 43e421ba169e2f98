"""What a survey knows of one layer's units: statistics, histograms, concepts, the layer that was looked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...dissection.dissection import Dissection
from ...sheets.examples import Examples
from ...sheets.unit_table import UnitTable
from ..book import Book
from .structure import Structure, unit_count

__all__ = ["Concepts", "concepts_of", "dead_units", "examples_of", "histograms_of", "layer_figures", "statistics_of"]

Numbers = np.ndarray[Any, Any]

_OF_RECTIFIED = frozenset({"dead", "nearly_dead"})


def _table(book: Book, layer: str) -> UnitTable | None:
    """The first of the survey's unit statistics that has the layer."""
    found = (each for each in book.results("unit_statistics").values() if isinstance(each, UnitTable))
    return next((each for each in found if layer in each.layers), None)


def statistics_of(book: Book, layer: str) -> Mapping[str, Numbers]:
    """By the name of a column, a value for each unit; none where no statistics were gathered.

    Units that were never above zero, or nearly so, are dead where they are rectified: elsewhere none is called so.
    """
    table = _table(book, layer)
    if table is None:
        return {}
    rows = table.rows_of(layer)
    left_out = {"layer", "unit"} | _not_said(book, layer)
    return {name: as_numpy(v)[rows] for name, v in table.columns.items() if name not in left_out}


def _not_said(book: Book, layer: str) -> frozenset[str]:
    return frozenset() if layer in Structure.of(book.model).rectified else _OF_RECTIFIED


def layer_figures(book: Book, layer: str) -> Mapping[str, float]:
    """Means over a layer's units, and counts of them."""
    table = _table(book, layer)
    if table is None:
        return {}
    return {name: figure for name, figure in table.layers[layer].items() if name not in _not_said(book, layer)}


def dead_units(book: Book, layer: str) -> int | None:
    """How many units were never above zero; None of a layer that is not rectified, or without statistics."""
    dead = layer_figures(book, layer).get("dead")
    return None if dead is None else int(dead)


def histograms_of(book: Book, layer: str, before: str = "") -> tuple[Numbers, Numbers] | None:
    """(units, bins) counts and (units, bins + 1) edges; of what the rectifier reads with `before` "before_"."""
    table = _table(book, layer)
    known = {} if table is None else table.histograms.get(layer, {})
    if f"{before}counts" not in known:
        return None
    return as_numpy(known[f"{before}counts"]), as_numpy(known[f"{before}edges"])


def examples_of(book: Book, layer: str) -> Examples | None:
    """The survey's examples of a layer, those by activation before those by relevance; None for none."""
    known = [each for each in book.results("top_examples").values() if isinstance(each, Examples)]
    return min((each for each in known if layer in each.values), key=lambda each: each.by != "activation", default=None)


@dataclass(frozen=True)
class Concepts:
    """A dissection's rows of a layer, one for each unit."""

    names: tuple[str, ...]
    categories: tuple[str, ...]
    minimum_iou: float
    ious: Numbers
    """(units, concepts); NaN for a unit without a row."""
    null_ious: Numbers | None
    best: Mapping[str, Numbers]
    """"concept", "iou", "null_iou" and "detector", a value for each unit."""

    def of_unit(self, unit: int, most: int = 5) -> list[Mapping[str, Any]]:
        """The concepts with the largest IoU, as `Concept` of data.ts; none that meets no label."""
        ious = np.nan_to_num(self.ious[unit], nan=0.0)
        order = np.argsort(-ious, kind="stable")[:most]
        return [
            {
                "concept": self.names[k],
                "category": self.categories[k],
                "iou": float(ious[k]),
                "null_iou": None if self.null_ious is None else float(self.null_ious[unit, k]),
                "detector": bool(ious[k] > self.minimum_iou),
            }
            for k in order
            if ious[k] > 0
        ]


def concepts_of(book: Book, layer: str) -> Concepts | None:
    """The first of the survey's dissections that has the layer's units."""
    found = (each for each in book.results("dissect").values() if isinstance(each, Dissection))
    table = next((each for each in found if layer in each.layers and "units" in each.bases_of(layer)), None)
    if table is None:
        return None
    rows, count = table.rows_of(layer), unit_count(book.model.layer(layer))
    units = as_numpy(table.columns["unit"])[rows].astype(int)
    names = ("concept", "iou", "null_iou", "detector")
    best = {name: _by_unit(as_numpy(table.columns[name])[rows], units, count) for name in names}
    null = None if table.null_ious is None else _by_unit(as_numpy(table.null_ious)[rows], units, count)
    ious = _by_unit(as_numpy(table.ious)[rows], units, count)
    return Concepts(table.concepts, table.categories, table.minimum_iou, ious, null, best)


def _by_unit(values: Numbers, units: Numbers, count: int) -> Numbers:
    """Rows in the order of units; NaN, "" or False for a unit that has none."""
    nothing = np.nan if values.dtype.kind == "f" else values.dtype.type()
    every = np.full((count, *values.shape[1:]), nothing, values.dtype)
    every[units] = values
    return every
