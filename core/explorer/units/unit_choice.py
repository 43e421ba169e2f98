"""Which units of a layer come first: the order in which they get visualisations and attributions."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...model.layer import OUTPUT
from ...model.reduction import unit_axis
from ...sheets.examples import Examples
from ..book import Book
from ..network.structure import Structure

__all__ = ["chosen_units", "unit_count", "unit_order"]


def unit_count(book: Book, layer: str) -> int:
    """The number of a layer's units; what the survey's results have where the network does not say."""
    shape = book.model.layer(layer).shape
    known = shape[unit_axis(len(shape))] if len(shape) > 1 else 0
    if known is not None:
        return known
    every = [each.values for each in book.results("top_examples").values() if isinstance(each, Examples)]
    counts = [int(as_numpy(values[layer]).shape[1]) for values in every if layer in values]
    return counts[0] if counts else 0


def chosen_units(book: Book, layer: str) -> tuple[int, ...]:
    """The units of a layer that get visualisations and attributions, in this order: `book.shown.units` of them.

    Every beginning of the order is spread evenly over the layer, for a unit's number says nothing of it, and a longer
    choice begins with the shorter one. Units of a rectified layer that the survey saw dead come last, before them those
    nearly dead. Of the network's classes, those come first that it predicts for the survey's images, the most frequent
    one first. The one unit that the book is for, where it is for one.
    """
    if book.only is not None:
        return (book.only[1],) if book.only[0] == layer else ()
    return unit_order(book, layer)[: book.shown.units]


def unit_order(book: Book, layer: str) -> tuple[int, ...]:
    """All units of a layer in the order of `chosen_units`."""
    later = np.zeros(unit_count(book, layer), int)
    is_rectified = layer in Structure.of(book.model).rectified
    for table in book.results("unit_statistics").values() if is_rectified else ():
        columns = {name: as_numpy(values) for name, values in table.columns.items()}  # type: ignore[attr-defined]
        own = columns["layer"] == layer
        later[columns["unit"][own]] = 2 * columns["dead"][own] + columns["nearly_dead"][own]
    spread = [unit for rank in range(3) for unit in _spread(np.flatnonzero(later == rank))]
    return tuple(dict.fromkeys([*_predicted(book, layer), *spread]))


def _predicted(book: Book, layer: str) -> list[int]:
    """The classes predicted for the survey's images, the most frequent first; none of a layer that is not the last."""
    network = book.model
    if not book.survey or not network.output.is_vector or layer not in (OUTPUT, *(network.reads(OUTPUT) or ())):
        return []
    classes = as_numpy(book.survey.images["class"])
    found, counts = np.unique(classes[classes >= 0], return_counts=True)
    order = np.lexsort((found, -counts))
    return [int(unit) for unit in found[order] if unit < unit_count(book, layer)]


def _spread(units: np.ndarray[Any, Any]) -> Iterator[int]:
    """Units in the order of van der Corput's sequence: the first, the one in the middle, those at the quarters."""
    bits = max(len(units) - 1, 1).bit_length()
    for number in range(1 << bits):
        place = int(f"{number:0{bits}b}"[::-1], 2)
        if place < len(units):
            yield int(units[place])
