"""The page of a layer: figures, a table of its units, their pictures and filters; and a layer's line in the site."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...errors import ImageError, LayerError
from ...model.base import Model
from ...receptive import unit_field
from ..book import Book
from ..data_folder import stamp_of
from ..leaf import Leaf
from .cost import Costs
from .filters import filters, kernel_norms
from .structure import unit_count
from .survey_facts import concepts_of, dead_units, examples_of, layer_figures, statistics_of

__all__ = ["columns", "layer_line", "leaves", "survey_stamp"]

UnitTiles = Callable[[str], tuple[Mapping[str, Any] | None, list[str]]]
_FORMAT = 1
_SHORT = ("q0.5", "q0.99")
"""The quantiles that a layer's table shows; a unit's page shows all."""


def leaves(book: Book, unit_tiles: UnitTiles) -> list[Leaf]:
    """ "layers/ID" of each layer with a page.

    Args:
        book: the network and its survey.
        unit_tiles: gives for a layer a sheet with a picture of each unit, None for none, and what each picture is:
            "visualisation", "example" or "". It is called when the page is made.
    """
    found = []
    for name in book.layers:
        stamp = stamp_of("layers", _FORMAT, book.digest, name, survey_stamp(book, name), book.shown)
        found.append(Leaf(f"layers/{book.ids[name]}", stamp, _maker(book, name, unit_tiles), f"layer {name}"))
    return found


def _maker(book: Book, name: str, unit_tiles: UnitTiles) -> Callable[[], Mapping[str, Any]]:
    return lambda: _page(book, name, unit_tiles)


def _page(book: Book, name: str, unit_tiles: UnitTiles) -> Mapping[str, Any]:
    sheet, shown = unit_tiles(name)
    examples = examples_of(book, name)
    looked_at = name if examples is None else examples.looked_at.get(name, name)
    field, note = _field(book.model, name)
    return {
        "id": book.ids[name],
        "looked_at": "" if looked_at == name else looked_at,
        "figures": _figures(book, name),
        "columns": {key: values.tolist() for key, values in columns(book, name).items()},
        "units": sheet,
        "shown": list(shown),
        "filters": filters(book.model, name),
        "receptive_field": field,
        "notes": [note] * bool(note),
    }


def columns(book: Book, layer: str) -> Mapping[str, np.ndarray[Any, Any]]:
    """By its name a column of the table of a layer's units: statistics, kernel norms, concepts."""
    known = statistics_of(book, layer)
    found = {key: values for key, values in known.items() if not key.startswith("q") or key in _SHORT}
    examples, concepts = examples_of(book, layer), concepts_of(book, layer)
    if examples is not None and not known and "most" in examples.kinds:
        most = examples.kinds.index("most")
        there = np.asarray(examples.indices[layer])[most, :, 0] >= 0
        found["strongest"] = np.where(there, np.asarray(examples.values[layer])[most, :, 0], np.nan)
    norms = kernel_norms(book.model, layer)
    if norms is not None and len(norms) == unit_count(book.model.layer(layer)):
        found["kernel_norm"] = norms
    return {**found, **(concepts.best if concepts else {})}


def _figures(book: Book, layer: str) -> Mapping[str, float | int | None]:
    """Means of the layer's units and counts of them; how many there are, and dead ones, stand in the layer's line."""
    figures: dict[str, Any] = {key: n for key, n in layer_figures(book, layer).items() if key not in {"units", "dead"}}
    concepts = concepts_of(book, layer)
    if concepts is not None:
        found = concepts.best["detector"]
        figures["detectors"] = int(found.sum())
        figures["concepts"] = len(set(concepts.best["concept"][found].tolist()))
    return figures


def _field(model: Model, layer: str) -> tuple[list[int] | None, str]:
    """Height and width of what a unit in the middle can see, as if the image went on; None for all of the image."""
    shape = model.layer(layer).shape
    middle = [(n or 1) // 2 for n in shape[2:]] if len(shape) == 4 else (shape[1] or 1) // 2 if len(shape) == 3 else 0
    try:
        found = unit_field(model, layer, middle)
    except (ImageError, LayerError):  # no pictures, or nothing of the image
        return None, ""
    if found is None:
        return None, "a unit of this layer can see the whole image wherever it stands"
    top, left, bottom, right = found.unclipped
    note = "the receptive field is what gradients reach: it may be larger" if found.known == "gradients" else ""
    return [bottom - top, right - left], note


def survey_stamp(book: Book, layer: str) -> str:
    """A hash of all numbers that the survey holds of a layer's units, pictures apart."""
    parts: list[Any] = [(key, values.tobytes()) for key, values in statistics_of(book, layer).items()]
    concepts, examples = concepts_of(book, layer), examples_of(book, layer)
    parts += [concepts.ious.tobytes(), concepts.names, concepts.minimum_iou] if concepts else [None]
    parts += [np.asarray(examples.values[layer]).tobytes(), examples.looked_at] if examples else [None]
    parts += [sorted(book.results("embedding"))]
    return stamp_of(*parts)


def layer_line(book: Book, name: str) -> Mapping[str, Any]:
    """`LayerLine` of data.ts; that the layer has a page, and which of its units are pictured, is left to fill in."""
    layer, costs = book.model.layer(name), Costs.of(book.model)
    return {
        "id": book.ids[layer.name],
        "name": layer.name,
        "kind": layer.kind,
        "shape": list(layer.shape[1:]),
        "units": unit_count(layer),
        "parameters": costs.parameters[layer.name],
        "flops": costs.flops[layer.name],
        "dead": dead_units(book, layer.name),
        "page": False,
        "pictured": [],
        "attributed": [],
    }
