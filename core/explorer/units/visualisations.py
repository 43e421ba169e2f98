"""`visualisations/LAYER/UNIT` and `attributions/LAYER/UNIT`, for the units of each layer that are chosen."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from time import perf_counter
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...errors import ModelError
from ...execution.batching import batch_limit, slices
from ...image.false_colour import pixels
from ...receptive.fields import fields_of
from ...receptive.unit_field import unit_field
from ...sheets.cut_out import shrunk
from ..book import Book
from ..data_folder import DataFolder, stamp_of
from ..data_urls import picture_url
from ..leaf import Leaf
from .attributions import attributions, can_be_attributed
from .optimised import Optimisation, Optimised
from .shared_work import shared_leaves
from .time_left import Pace
from .unit_choice import chosen_units
from .unit_pages import examples_stamp

__all__ = ["leaves", "visualisations"]

Pixels = np.ndarray[Any, Any]
QUALITY = 75
LEAST = 0.25
"""The share of a picture's sides that is shown of its middle, at least, where a unit sees less than half of that."""


def leaves(book: Book, folder: DataFolder) -> list[Leaf]:
    """Batches of units, the first of each layer before the second of any, the deepest layer first.

    So a site that was interrupted shows something everywhere. The files of a batch are made together, by its first one.
    """
    if not book.model.input.is_image or book.model.input.is_volume:
        return []
    by_layer = [list(_batches(book, folder, layer)) for layer in reversed(book.layers)]
    return [leaf for row in zip_longest(*by_layer, fillvalue=()) for batch in row for leaf in batch]


def _batches(book: Book, folder: DataFolder, layer: str) -> Iterator[list[Leaf]]:
    """The files of the chosen units of a layer, as many as are made together."""
    units, pace = chosen_units(book, layer), Pace(folder)
    number, place = book.ids[layer], (book.ids[layer], layer)
    together = max(1, batch_limit(book.model) // 2)

    def timed(batch: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        start = perf_counter()
        made = visualisations(book, layer, batch)
        pace.add(number, len(batch), perf_counter() - start)
        return made

    for start, stop in slices(len(units), together):
        batch, files = units[start:stop], list[Leaf]()
        if can_be_attributed(book, layer):
            stamps = {unit: _attribution_stamp(book, layer, unit) for unit in batch}
            files += shared_leaves("attributions", stamps, lambda some: attributions(book, layer, some), folder, place)
        stamps = {unit: _stamp(book, layer, unit) for unit in batch}
        files += shared_leaves("visualisations", stamps, timed, folder, place)
        yield files


def visualisations(book: Book, layer: str, units: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
    """`Visualisations` of data.ts, by unit; without pictures where the network has no gradient."""
    work = Optimisation(book.model, layer, book.shown)
    height, width = work.size
    settings = f"{height if height == width else f'{height} x {width}'} px, {book.shown.steps} steps"
    field = _field(book, layer)
    try:
        made = work.pictures(units)
    except ModelError as error:
        made, settings = (
            dict.fromkeys(units, Optimised(None, None, (), {"positive": None, "negative": None})),
            str(error),
        )
    return {unit: _value(book, one, field, settings) for unit, one in made.items()}


def _value(book: Book, made: Optimised, field: tuple[int, int] | None, settings: str) -> Mapping[str, Any]:
    def url(picture: Array) -> str | None:
        return None if picture is None else picture_url(_middle(book, picture, field), quality=QUALITY)

    if made.positive is None and "steps" in settings:
        settings = f"{settings}; nothing excites this unit: it has no gradient at the start"
    return {
        "positive": url(made.positive),
        "negative": url(made.negative),
        "diversity": [
            picture_url(shrunk(_middle(book, each, field), book.shown.size), quality=QUALITY) for each in made.diverse
        ],
        "values": dict(made.values),
        "settings": settings,
    }


def _middle(book: Book, picture: Array, field: tuple[int, int] | None) -> Pixels:
    """The middle of a picture, which repeats what a unit with a small field sees, enlarged; else all of it."""
    drawn = pixels(as_numpy(picture), book.model.input.bounds or (0.0, 1.0))
    size = drawn.shape[:2]
    middle = zip(size, field or size, strict=True)
    shown = [min(n, max(round(LEAST * n), 2 * seen)) for n, seen in middle]
    top, left = ((n - m) // 2 for n, m in zip(size, shown, strict=True))
    part = drawn[top : top + shown[0], left : left + shown[1]]
    times = max(1, round(book.shown.size / max(part.shape[:2])))
    return part.repeat(times, axis=0).repeat(times, axis=1)


def _field(book: Book, layer: str) -> tuple[int, int] | None:
    """Height and width of what a position of a layer sees; None where it is the whole image, or nobody knows."""
    if fields_of(book.model)[1]:
        return None
    seen = unit_field(book.model, layer)
    if seen is None:
        return None
    top, left, bottom, right = seen.unclipped
    return bottom - top, right - left


def _stamp(book: Book, layer: str, unit: int) -> str:
    return stamp_of("visualisation", book.digest, layer, unit, book.shown.size, book.shown.steps)


def _attribution_stamp(book: Book, layer: str, unit: int) -> str:
    of = book.source and book.source.digest
    return stamp_of("attribution", book.digest, of, layer, unit, examples_stamp(book, layer, unit))
