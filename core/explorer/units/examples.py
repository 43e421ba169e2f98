"""The examples on the page of a unit: its best images of each kind, cut to what the unit sees."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ...arrays import as_numpy
from ...sheets.examples import Examples
from ..book import Book
from ..data_urls import picture_sheet
from ..network.survey_facts import examples_of
from .crops import SIDE, field_size, fitted, receptive_crop
from .decoded_images import LIMIT, DecodedImages

__all__ = ["SHOWN", "Slot", "UnitExamples", "own_pictures", "slots_of"]

Pixels = np.ndarray[Any, Any]
SHOWN = 8
"""Examples of each kind on a unit's page, at most."""
QUALITY = 72
EFFORT = 2
"""Of the encoder, 0 to 6: half the time of Pillow's own 4, for files a twentieth larger."""


CROPS = 4096
"""Crops that are kept, 64 MB: units of a layer that sees far share theirs."""


class Slot(NamedTuple):
    """An example's place in the arrays of `Examples`: kind, unit, rank."""

    kind: int
    unit: int
    rank: int


def slots_of(examples: Examples, layer: str, unit: int) -> list[Slot]:
    """The examples that a unit's page shows, in the order of their crops: kind by kind, the best first."""
    found = as_numpy(examples.indices[layer])[:, unit, :SHOWN] >= 0
    return [Slot(kind, unit, rank) for kind, rank in np.argwhere(found).tolist()]


class UnitExamples:
    """`Examples` of data.ts for units of a network, whose images are read once for as many units as they have room."""

    def __init__(self, book: Book, limit: int = LIMIT) -> None:
        """`limit`: bytes of pictures in memory."""
        self._book = book
        self._images = None if book.source is None else DecodedImages(book.source, book.model, limit)
        self._fields: dict[str, tuple[int, int]] = {}
        self._crop = lru_cache(CROPS)(self._made_crop)

    def read_ahead(self, layer: str, units: Sequence[int]) -> int:
        """Read the images of as many of these units as fit into memory, at least of one; how many these are."""
        examples = examples_of(self._book, layer)
        if examples is None or self._images is None:
            return len(units)
        wanted: dict[int, None] = {}
        for count, unit in enumerate(units):
            own = as_numpy(examples.indices[layer])[:, unit, :SHOWN]
            more = dict.fromkeys(own[own >= 0].tolist()).keys() - wanted.keys()
            if count and len(wanted) + len(more) > self._images.room:
                self._images.keep(wanted)
                return count
            wanted |= dict.fromkeys(more)
        self._images.keep(wanted)
        return len(units)

    def page(self, layer: str, unit: int) -> Mapping[str, Any] | None:
        """The examples of one unit; None where the survey has none of its layer."""
        examples = examples_of(self._book, layer)
        if examples is None:
            return None
        slots = slots_of(examples, layer, unit)
        tiles = self._crops(examples, layer, slots)
        sheet = picture_sheet(tiles, quality=QUALITY, effort=EFFORT) if tiles else None
        items = [self._item(examples, layer, place, slot) for place, slot in enumerate(slots)]
        by_kind = [
            {"kind": kind, "items": [item for item, slot in zip(items, slots, strict=True) if slot.kind == number]}
            for number, kind in enumerate(examples.kinds)
        ]
        return {"crops": sheet, "by": examples.by, "kinds": by_kind}

    def _crops(self, examples: Examples, layer: str, slots: Iterable[Slot]) -> list[Pixels]:
        """From the images; from the survey's own pictures where there are no images, none of a unit without."""
        if self._images is not None:
            if layer not in self._fields:
                self._fields[layer] = field_size(as_numpy(examples.rectangles[layer]))
            rectangles, indices = as_numpy(examples.rectangles[layer]), as_numpy(examples.indices[layer])
            field = self._fields[layer]
            return [self._crop(int(indices[slot]), tuple(rectangles[slot].tolist()), field) for slot in slots]
        return own_pictures(examples, layer, slots, examples.crops)

    def _made_crop(self, index: int, rectangle: tuple[int, int, int, int], field: tuple[int, int]) -> Pixels:
        assert self._images is not None
        return receptive_crop(self._images[index], rectangle, field)

    def _item(self, examples: Examples, layer: str, place: int, slot: Slot) -> Mapping[str, Any]:
        height, width = examples.image_size
        top, left, bottom, right = as_numpy(examples.rectangles[layer])[slot].tolist()
        return {
            "slot": place,
            "image": int(as_numpy(examples.indices[layer])[slot]),
            "value": float(as_numpy(examples.values[layer])[slot]),
            "place": _middle(int(as_numpy(examples.positions[layer])[slot]), examples.shapes[layer]),
            "rectangle": [top / height, left / width, bottom / height, right / width],
        }


def _middle(position: int, shape: Sequence[int]) -> tuple[float, float] | None:
    """The middle of a position of maps, row and column in shares of the image; None of tokens and vectors."""
    if len(shape) != 2:
        return None
    row, column = divmod(position, shape[1])
    return (row + 0.5) / shape[0], (column + 0.5) / shape[1]


def own_pictures(examples: Examples, layer: str, slots: Iterable[Slot], pictures: Mapping[str, Any]) -> list[Pixels]:
    """What the survey itself holds of pictures of these examples, as crops; none where one is not there.

    Args:
        examples: of the survey.
        layer: one of its layers.
        slots: the examples.
        pictures: its crops or attributions, by layer.
    """
    found, units = [], examples.pictured.get(layer, ())
    for kind, unit, rank in slots:
        if layer not in pictures or unit not in units or rank >= as_numpy(pictures[layer]).shape[2]:
            return []
        found.append(fitted(as_numpy(pictures[layer])[kind, units.index(unit), rank], SIDE))
    return found
