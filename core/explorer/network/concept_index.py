"""The units that a dissection found for each concept: what a reader searches by."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ..book import Book
from ..data_folder import stamp_of
from ..leaf import Leaf
from .layer_pages import survey_stamp
from .survey_facts import concepts_of

__all__ = ["concept_index", "leaves"]

MOST = 12
"""Units of a concept, over all layers."""


def concept_index(book: Book) -> Mapping[str, Any]:
    """A `ConceptIndex` of data.ts: every concept that a unit meets, by name, its units by IoU, the best first."""
    units: dict[tuple[str, str], list[tuple[float, int, int]]] = defaultdict(list)
    for layer in book.layers:
        table = concepts_of(book, layer)
        if table is None:
            continue
        for k, name in enumerate(table.names):
            column = table.ious[:, k]
            units[name, table.categories[k]] += [
                (-float(column[unit]), book.ids[layer], unit) for unit in range(len(column)) if column[unit] > 0
            ]
    return {
        "concepts": [
            {
                "concept": concept,
                "category": category,
                "units": [[layer, unit, round(-minus, 4)] for minus, layer, unit in sorted(found)[:MOST]],
            }
            for (concept, category), found in sorted(units.items())
            if found
        ]
    }


def leaves(book: Book) -> list[Leaf]:
    """One, "concepts"; none where networks were not dissected."""
    layers = [layer for layer in book.layers if concepts_of(book, layer)]
    if not layers:
        return []
    stamp = stamp_of("concepts", book.digest, [(layer, survey_stamp(book, layer)) for layer in layers])
    return [Leaf("concepts", stamp, lambda: concept_index(book), "the index of concepts")]
