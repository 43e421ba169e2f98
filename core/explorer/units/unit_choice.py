"""Which units of a layer come first: the order in which they get visualisations and attributions."""

from collections.abc import Iterator

import numpy as np

from ...arrays import as_numpy
from ...model.reduction import unit_axis
from ..book import Book

__all__ = ["chosen_units", "unit_count", "unit_order"]


def unit_count(book: Book, layer: str) -> int:
    """The number of a layer's units; what the survey's results have where the network does not say."""
    shape = book.model.layer(layer).shape
    known = shape[unit_axis(len(shape))] if len(shape) > 1 else 0
    if known is not None:
        return known
    counts = [as_numpy(each.values[layer]).shape[1] for each in _examples(book) if layer in each.values]
    return int(counts[0]) if counts else 0


def chosen_units(book: Book, layer: str) -> tuple[int, ...]:
    """The units of a layer that get visualisations and attributions, in this order: `book.shown.units` of them.

    Every beginning of the order is spread evenly over the layer, for units that are neighbours by number have nothing
    in common, and a longer choice begins with the shorter one. Units that the survey saw dead come last, before them
    those nearly dead. The one unit that the book is for, where it is for one.
    """
    if book.only is not None:
        return (book.only[1],) if book.only[0] == layer else ()
    return unit_order(book, layer)[: book.shown.units]


def unit_order(book: Book, layer: str) -> tuple[int, ...]:
    """All units of a layer in the order of `chosen_units`."""
    later = np.zeros(unit_count(book, layer), int)
    for table in book.results("unit_statistics").values():
        columns = {name: as_numpy(values) for name, values in table.columns.items()}  # type: ignore[attr-defined]
        own = columns["layer"] == layer
        later[columns["unit"][own]] = 2 * columns["dead"][own] + columns["nearly_dead"][own]
    return tuple(int(unit) for rank in range(3) for unit in _spread(np.flatnonzero(later == rank)))


def _spread(units: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> Iterator[int]:
    """Units in the order of van der Corput's sequence: the first, the one in the middle, those at the quarters."""
    bits = max(len(units) - 1, 1).bit_length()
    for number in range(1 << bits):
        place = int(f"{number:0{bits}b}"[::-1], 2)
        if place < len(units):
            yield int(units[place])


def _examples(book: Book) -> list[object]:
    return list(book.results("top_examples").values())
