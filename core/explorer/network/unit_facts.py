"""What is known of each unit of a layer besides its pictures: statistics, histogram, concepts, nearest, connections."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..book import Book
from .connections import read_by, reads
from .similar_units import similar_units
from .structure import unit_count
from .survey_facts import concepts_of, histograms_of, statistics_of

__all__ = ["unit_facts"]

Numbers = np.ndarray[Any, Any]


def unit_facts(book: Book, layer: str) -> list[Mapping[str, Any]]:
    """A part of "units/LAYER/UNIT" for each unit: all but its layer, its number and its examples."""
    statistics, concepts = statistics_of(book, layer), concepts_of(book, layer)
    histogram, before = histograms_of(book, layer), histograms_of(book, layer, "before_")
    nearest_by, nearest = similar_units(book, layer)
    reading, readers = reads(book, layer), read_by(book, layer)
    return [
        {
            "statistics": {name: values[unit].item() for name, values in statistics.items()},
            "histogram": _histogram(histogram, unit),
            "before": _histogram(before, unit),
            "concepts": concepts.of_unit(unit) if concepts else [],
            "nearest": nearest[unit],
            "nearest_by": nearest_by,
            "reads": reading[unit],
            "read_by": readers[unit],
        }
        for unit in range(unit_count(book.model.layer(layer)))
    ]


def _histogram(known: tuple[Numbers, Numbers] | None, unit: int) -> Mapping[str, Any] | None:
    if known is None:
        return None
    counts, edges = known
    return {"edges": [float(f"{edge:.6g}") for edge in edges[unit].tolist()], "counts": counts[unit].tolist()}
