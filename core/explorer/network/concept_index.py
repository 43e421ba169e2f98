"""`concepts`: the units that a dissection found for each concept, by which the search of a site finds them."""

from collections.abc import Mapping
from typing import Any

from ...arrays import as_numpy
from ...dissection.dissection import Dissection
from ..book import Book
from ..data_folder import stamp_of
from ..leaf import Leaf

__all__ = ["leaves"]

_COLUMNS = ("layer", "basis", "unit", "concept", "category", "iou", "detector")


def leaves(book: Book) -> list[Leaf]:
    """One where the survey has dissected units and some detect a concept."""
    found = _index(book)
    of = stamp_of(book.digest, found)
    return [Leaf("concepts", of, lambda: {"concepts": found}, "concepts")] if found else []


def _index(book: Book) -> list[Mapping[str, Any]]:
    """A `ConceptIndex` of data.ts, the concepts of most units first."""
    units: dict[tuple[str, str], list[tuple[int, int, float]]] = {}
    for result in book.results("dissect").values():
        if isinstance(result, Dissection):
            rows = zip(*(as_numpy(result.columns[name]).tolist() for name in _COLUMNS), strict=True)
            for layer, basis, unit, concept, category, iou, detector in rows:
                if basis == "units" and detector and layer in book.layers:
                    units.setdefault((concept, category), []).append((book.ids[layer], unit, iou))
    ordered = sorted(units.items(), key=lambda each: (-len(each[1]), each[0]))
    return [
        {"concept": concept, "category": category, "units": sorted(those, key=lambda each: -each[2])}
        for (concept, category), those in ordered
    ]
