"""`units/LAYER/UNIT`: the page of every unit: its examples, and what is known of it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...arrays import as_numpy
from ..book import Book
from ..data_folder import DataFolder, stamp_of
from ..leaf import Leaf
from ..network.survey_facts import examples_of
from ..network.unit_facts import unit_facts
from .examples import UnitExamples
from .unit_choice import unit_count

__all__ = ["examples_stamp", "leaves"]


def leaves(book: Book, folder: DataFolder) -> list[Leaf]:
    """One for each unit, layer by layer in the network's order; for the one unit that the book is for, if for one."""
    examples, every = UnitExamples(book), list[Leaf]()
    of = _survey_stamp(book)
    for layer in book.layers:
        units = _units(book, layer)
        stamps = {unit: stamp_of(of, layer, unit, examples_stamp(book, layer, unit)) for unit in units}
        missing = [unit for unit in units if not folder.has(_key(book, layer, unit), stamps[unit])]
        pages = _LayerOfPages(book, layer, missing, examples)
        every += [
            Leaf(_key(book, layer, unit), stamps[unit], lambda p=pages, u=unit: p.page(u), f"unit {unit} of {layer}")  # type: ignore[misc]
            for unit in units
        ]
    return every


class _LayerOfPages:
    """What the pages of a layer's units share: the facts of all units, and images that are read for many of them."""

    def __init__(self, book: Book, layer: str, units: Sequence[int], examples: UnitExamples) -> None:
        self._book, self._layer, self._examples = book, layer, examples
        self._ahead = list(units)
        self._read: set[int] = set()
        self._facts: Sequence[Mapping[str, Any]] | None = None

    def page(self, unit: int) -> Mapping[str, Any]:
        """A `UnitPage` of data.ts."""
        if self._facts is None:
            self._facts = unit_facts(self._book, self._layer)
        if unit not in self._read and unit in self._ahead:
            self._ahead = self._ahead[self._ahead.index(unit) :]
            count = self._examples.read_ahead(self._layer, self._ahead)
            self._read, self._ahead = set(self._ahead[:count]), self._ahead[count:]
        return {
            "layer": self._book.ids[self._layer],
            "unit": unit,
            "examples": self._examples.page(self._layer, unit),
            **self._facts[unit],
        }


def _units(book: Book, layer: str) -> Sequence[int]:
    if book.only is not None:
        return [book.only[1]] if book.only[0] == layer else []
    return range(unit_count(book, layer))


def _key(book: Book, layer: str, unit: int) -> str:
    return f"units/{book.ids[layer]}/{unit}"


def _survey_stamp(book: Book) -> str:
    """Of the network, the images, and which results the survey has, of what and with which settings."""
    results = [
        (label, dict(result.parameters), result.provenance.get("source"), result.provenance.get("model"))
        for label, result in ((label, book.survey[label]) for label in sorted(book.survey))
    ]
    return stamp_of("unit", book.digest, book.source and book.source.digest, results)


def examples_stamp(book: Book, layer: str, unit: int) -> str:
    """Of a unit's examples; empty where there are none."""
    examples = examples_of(book, layer)
    if examples is None:
        return ""
    state = hashlib.sha256()
    for of in (examples.values, examples.indices, examples.rectangles):
        state.update(as_numpy(of[layer])[:, unit].tobytes())
    return state.hexdigest()
