"""The parts of a site in the order in which they are made: what is quick first, so that it opens soon."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..model.base import Model
from .beside.beside_page import leaves as beside_leaves
from .book import Book
from .data_folder import DataFolder, stamp_of
from .leaf import Leaf
from .network.concept_index import leaves as concept_leaves
from .network.graph import network
from .network.layer_pages import leaves as layer_leaves
from .pictures.picture_pages import leaves as picture_leaves
from .points.atlas import leaves as atlas_leaves
from .points.images import leaves as image_leaves
from .points.points import leaves as point_leaves
from .points.thumbnails import leaves as thumbnail_leaves
from .units.tiles import unit_tiles
from .units.unit_pages import leaves as unit_leaves
from .units.visualisations import leaves as visualisation_leaves

CELL_SHEETS = 4
"""Sheets of thumbnails that a page in a notebook's cell holds at most: a thousand images."""

__all__ = ["Part", "parts_of", "unit_parts"]


@dataclass(frozen=True)
class Part:
    """Files of one kind."""

    name: str
    leaves: Callable[[DataFolder], Iterable[Leaf]]
    """From what is there already."""


def parts_of(book: Book, beside: Model | None, checkpoints: Any, *, first_page: bool = False) -> Sequence[Part]:
    """All of a site.

    Args:
        book: what it is made of.
        beside: a second model; None for none.
        checkpoints: points of several checkpoints; None for none.
        first_page: only what the first page shows.
    """
    graph = Part("network", lambda data: _network(book))
    if first_page:
        return [graph, Part("images", lambda data: _few_images(book))]
    first = [graph, Part("images", lambda data: _images(book))]
    return [
        *first,
        Part("units", lambda data: unit_leaves(book, data)),
        Part("layers", partial(_layers, book)),
        Part("concepts", lambda data: concept_leaves(book)),
        Part("points", lambda data: [*point_leaves(book, checkpoints), *atlas_leaves(book)]),
        Part("pictures", lambda data: picture_leaves(book)),
        Part("visualisations", lambda data: visualisation_leaves(book, data)),
        Part("layers", partial(_layers, book)),
        *([Part("beside", lambda data: beside_leaves(book, beside))] if beside is not None else []),
    ]


def unit_parts(book: Book, layer: str, unit: int) -> Sequence[Part]:
    """What the page of one unit needs."""
    number = book.ids[layer]
    keys = {f"{kind}/{number}/{unit}" for kind in ("units", "visualisations", "attributions")}
    alone = replace(book, only=(layer, unit))
    return [
        Part("images", lambda data: _few_images(book)),
        Part("unit", lambda data: _only(keys, unit_leaves(alone, data))),
        Part("visualisation", lambda data: _only(keys, visualisation_leaves(alone, data))),
        Part("layer", lambda data: _only({f"layers/{number}"}, _layers(book, data))),
    ]


def _only(keys: set[str], leaves: Iterable[Leaf]) -> Iterator[Leaf]:
    return (leaf for leaf in leaves if leaf.key in keys)


def _network(book: Book) -> list[Leaf]:
    of = stamp_of(book.digest, book.layers, sorted(book.survey))
    return [Leaf("network", of, lambda: network(book))]


def _images(book: Book) -> list[Leaf]:
    return [*image_leaves(book), *thumbnail_leaves(book)]


def _few_images(book: Book) -> list[Leaf]:
    """Those that a page in a notebook's cell holds: all thumbnails of a large data set would fill the notebook."""
    return [*image_leaves(book)[:1], *thumbnail_leaves(book)[:CELL_SHEETS]]


def _layers(book: Book, data: DataFolder) -> Iterator[Leaf]:
    """The layers' pages; made again where more units have visualisations than before."""
    for leaf in layer_leaves(book, lambda layer: unit_tiles(book, data, layer)):
        number = int(leaf.key.rpartition("/")[2])
        yield replace(
            leaf, stamp=stamp_of(leaf.stamp, data.numbers(f"visualisations/{number}"), data.numbers(f"units/{number}"))
        )
