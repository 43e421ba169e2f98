"""`leaves` and `lines`: "atlas/K" of data.ts, the activation atlases of a survey."""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import numpy as np

from ...arrays import array_digest, as_numpy
from ...image.false_colour import pixels
from ...sheets.atlas import Atlas
from ...sheets.cut_out import shrunk
from ..book import Book
from ..data_folder import stamp_of
from ..data_urls import picture_sheet
from ..leaf import Leaf

__all__ = ["leaves", "lines"]

VERSION = 1
WIDTH = 3_072
"""Pixels of a sheet at most; beyond 16,383 there is no WebP."""
LARGEST, SMALLEST = 160, 16
"""Pixels of a cell's side."""
IMAGES = 24
"""Of each cell, those with the most of its positions."""


def lines(book: Book) -> list[Mapping[str, int]]:
    """The entries `atlas` of `Site`, in the order of `leaves`."""
    return [{"layer": book.ids[each.layer], "cells": len(each)} for each in _atlases(book)]


def leaves(book: Book) -> list[Leaf]:
    """A leaf for each atlas."""
    return [
        Leaf(f"atlas/{n}", _stamp(each), partial(_page, each, book.ids[each.layer]), f"atlas of {each.layer}")
        for n, each in enumerate(_atlases(book))
    ]


def _atlases(book: Book) -> list[Atlas]:
    """Those that the site's network has the layer of and that have a cell to show."""
    every = (cast(Atlas, result) for result in book.results("activation_atlas").values())
    return [each for each in every if each.layer in book.ids and len(each)]


def _stamp(atlas: Atlas) -> str:
    arrays = [array_digest(each) for each in (atlas.pictures, atlas.attributions, atlas.cell_of)]
    texts = {name: as_numpy(values).tolist() for name, values in atlas.columns.items()}
    return stamp_of("atlas", VERSION, atlas.layer, atlas.cells, arrays, texts)


def _page(atlas: Atlas, layer: int) -> Mapping[str, Any]:
    """The `Atlas` of data.ts."""
    side = int(np.clip(WIDTH // atlas.cells, SMALLEST, LARGEST))
    tiles = [shrunk(pixels(each), side) for each in as_numpy(atlas.pictures)]
    rows, columns, counts = (as_numpy(atlas.columns[name]).tolist() for name in ("row", "column", "count"))
    return {
        "layer": layer,
        "rows": atlas.cells,
        "columns": atlas.cells,
        "sheet": picture_sheet(tiles, across=atlas.cells),
        "cells": [
            {"row": row, "column": column, "count": count, "classes": _classes(atlas, n), "images": _images(atlas, n)}
            for n, (row, column, count) in enumerate(zip(rows, columns, counts, strict=True))
        ],
    }


def _classes(atlas: Atlas, cell: int) -> list[tuple[str, float]]:
    """Names and attributions, the strongest first; none where the network has no classes."""
    if "class" not in atlas.columns:
        return []
    names, values = (np.atleast_1d(as_numpy(atlas.columns[name])[cell]) for name in ("class", "attribution"))
    return [(str(name), float(value)) for name, value in zip(names.tolist(), values.tolist(), strict=True)]


def _images(atlas: Atlas, cell: int) -> list[int]:
    """Indices of images with positions in a cell, those with the most first, then in the order of the data."""
    inside = as_numpy(atlas.sample["image"])[as_numpy(atlas.cell_of) == cell]
    found, counts = np.unique(inside, return_counts=True)
    return [int(each) for each in found[np.argsort(-counts, kind="stable")][:IMAGES]]
