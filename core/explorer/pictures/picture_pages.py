"""`pictures/INDEX`: prediction, maps, strongest units, the dictionary of positions, concept groups, neighbours."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...arrays import Array, as_numpy
from ...data.source import Source
from ...errors import ImageError
from ...image.false_colour import pixels
from ...model.base import OUTPUT
from ..book import Book
from ..data_folder import stamp_of
from ..data_urls import picture_url
from ..leaf import Leaf
from .choice import chosen_pictures
from .groups import concept_groups
from .maps import drawn_maps
from .neighbours import Neighbours
from .unit_answers import LayerScale, answers_as_maps, dictionary, layer_scales, strongest

__all__ = ["leaves"]

PREDICTED = 5
DICTIONARIES = 6
"""Layers with a dictionary, the last ones with several positions."""


def leaves(book: Book) -> list[Leaf]:
    """One for each picture that has a page."""
    pages = _PicturePages(book)
    of = stamp_of(book.digest, book.shown.maps, book.layers, sorted(book.survey), book.source and book.source.digest)
    return [
        Leaf(f"pictures/{index}", of, lambda index=index: pages.page(index), f"picture {index}")  # type: ignore[misc]
        for index in chosen_pictures(book)
    ]


class _PicturePages:
    """What pages of pictures share."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.neighbours = Neighbours(book)

    @cached_property
    def scales(self) -> Mapping[str, LayerScale]:
        return layer_scales(self.book)

    def page(self, index: int) -> Mapping[str, Any]:
        """A `PicturePage` of data.ts.

        Raises:
            ImageError: the image cannot be read any more.
        """
        book, image = self.book, self._image(index)
        activations = book.model.forward(image, [*book.layers, OUTPUT])
        maps = {layer: answers_as_maps(book.model, layer, activations[layer]) for layer in book.layers}
        drawn = pixels(as_numpy(image)[0], book.model.input.bounds or (0.0, 1.0))
        height, width = drawn.shape[:2]
        return {
            "index": index,
            "image": picture_url(drawn, quality=90),
            "width": width,
            "height": height,
            "prediction": self._prediction(as_numpy(activations[OUTPUT])),
            "maps": drawn_maps(book.model, image, book.shown.maps),
            "strongest": [
                {"layer": book.ids[layer], "units": strongest(each, self.scales.get(layer))}
                for layer, each in maps.items()
            ],
            "dictionary": [
                {"layer": book.ids[layer], **dictionary(maps[layer], self.scales.get(layer))}
                for layer in _with_positions(maps)[-DICTIONARIES:]
            ],
            "groups": concept_groups(book, image),
            "neighbours": self.neighbours.of(index),
        }

    def _image(self, index: int) -> Array:
        source = self.book.source
        assert isinstance(source, Source)
        samples = source.read(index, index + 1, self.book.model)
        if not samples.ids:
            raise ImageError(f"{samples.failures[0].id} cannot be read any more: {samples.failures[0].reason}")
        return samples.images

    def _prediction(self, output: np.ndarray[Any, Any]) -> Sequence[Mapping[str, Any]]:
        """The likeliest classes; the score of a network that has no classes; nothing of one that gives maps."""
        spec, model = self.book.model.output, self.book.model
        if not spec.is_vector:
            return []
        shares, names = spec.values(output)[0], spec.names(model.labels)
        order = np.argsort(-shares, kind="stable")[:PREDICTED]
        return [{"class": int(c), "name": names[c] if c < len(names) else "", "score": float(shares[c])} for c in order]


def _with_positions(maps: Mapping[str, np.ndarray[Any, Any]]) -> list[str]:
    return [layer for layer, each in maps.items() if each[0].size > 1]
