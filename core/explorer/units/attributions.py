"""What of its examples a unit used: for each crop the map of guided backpropagation, or of the gradient."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...errors import DivergedError, LayerError, ModelError
from ...execution.notices import withhold
from ...plugins.registry import method
from ...sheets.examples import Examples
from ..book import Book
from ..data_urls import picture_sheet
from ..network.survey_facts import examples_of
from .crops import SIDE, fitted
from .examples import EFFORT, QUALITY, SHOWN, slots_of

__all__ = ["attributions", "can_be_attributed"]

Pixels = np.ndarray[Any, Any]


def can_be_attributed(book: Book, layer: str) -> bool:
    """Whether a layer's units have examples that can be explained: their images, or maps that the survey holds."""
    examples = examples_of(book, layer)
    return examples is not None and (book.source is not None or layer in examples.attributions)


def attributions(book: Book, layer: str, units: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    """`Attributions` of data.ts, by unit; without maps, and why, where the network has no gradient at these images.

    The images are read again, each once for all of these units, and their maps computed in batches.

    Args:
        book: of the site.
        layer: one of `can_be_attributed`.
        units: of the layer.
    """
    examples = examples_of(book, layer)
    assert examples is not None
    try:
        drawn = _drawn(book, examples[examples.layers.index(layer)], layer, units)
    except (ModelError, LayerError, DivergedError) as error:
        return {unit: {"sheet": None, "method": str(error)} for unit in units}
    return {unit: _sheet(drawn, layer, unit) for unit in units}


def _drawn(book: Book, examples: Examples, layer: str, units: Sequence[int]) -> Examples:
    """The examples with the pictures of these units."""
    if book.source is None:
        return examples
    count = as_numpy(examples.values[layer]).shape[2]
    how = {"units": tuple(units), "shown": SHOWN, "count": count, "by": examples.by, "kinds": examples.kinds}
    with withhold():
        made = method("top_examples", layers=(layer,), **how).with_pictures(examples, book.model, book.source)
    assert isinstance(made, Examples)
    return replace(made, crops={}, thumbnails={})


def _sheet(drawn: Examples, layer: str, unit: int) -> Mapping[str, Any]:
    """The maps of a unit's crops in the order of these; white where there is none."""
    pictured, tiles = drawn.pictured.get(layer, ()), []
    for kind, _, rank in slots_of(drawn, layer, unit):
        known = unit in pictured and rank < as_numpy(drawn.attributions[layer]).shape[2]
        tile = as_numpy(drawn.attributions[layer])[kind, pictured.index(unit), rank] if known else None
        tiles.append(np.full((SIDE, SIDE, 3), 255, np.uint8) if tile is None else fitted(tile, SIDE))
    sheet = picture_sheet(tiles, quality=QUALITY, effort=EFFORT) if tiles else None
    return {"sheet": sheet, "method": drawn.attribution}
