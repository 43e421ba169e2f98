"""`beside`: two models on the same images, from a comparison's view: layers, units, where they part, maps."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...alignment.align import Alignment, align
from ...alignment.divergence import diverge
from ...alignment.probe_images import probes
from ...arrays import Array, as_numpy
from ...comparison.compare import compare
from ...comparison.view import ComparisonView
from ...errors import ComparisonError, CrosslensError
from ...image.false_colour import pixels
from ...model.base import INPUT, Model
from ..book import Book
from ..data_folder import stamp_of
from ..data_urls import picture_url
from ..leaf import Leaf
from ..names import network_name
from ..pictures.choice import chosen_pictures
from .matched_units import matched_units

__all__ = ["leaves", "names_of"]

IMAGES = 16
"""Images on which layers and units are matched."""
SHOWN = 4
"""Images whose maps are shown."""
SAMPLES = 4096
"""Positions of all images by which units are matched, at most."""
MOST_UNITS = 1024
"""Units of a layer that are matched; one to one takes time with their cube."""


def names_of(book: Book, other: Model) -> tuple[str, str]:
    """What a reader calls the two, two different names."""
    name = network_name(other)
    return book.name, name if name != book.name else f"{name} (2)"


def leaves(book: Book, other: Model) -> list[Leaf]:
    """The page of a book's network and another one."""
    pair = _Pair(book, other)
    of = stamp_of(book.digest, pair.other.digest, book.shown.maps, book.source and book.source.digest)
    return [Leaf("beside", of, pair.page, " and ".join(pair.names))]


class _Pair:
    """Two models, and the images that both see."""

    def __init__(self, book: Book, other: Model) -> None:
        self.book, self.other = book, other
        self.names = names_of(book, other)

    @cached_property
    def images(self) -> Array:
        """(N, C, H, W)."""
        model, source = self.book.model, self.book.source
        if source is None:
            return probes(model, 4)
        chosen = chosen_pictures(self.book)[:IMAGES] or range(min(IMAGES, len(source)))
        read = [source.read(index, index + 1, model).images for index in chosen]
        return np.concatenate([as_numpy(each) for each in read if each is not None])

    def page(self) -> Mapping[str, Any]:
        """A `Beside` of data.ts.

        Raises:
            ComparisonError: the models take different images.
        """
        both = dict(zip(self.names, (self.book.model, self.other), strict=True))
        alignment = align(both, images=self.images[:SHOWN])
        layers = self._layers(alignment)
        return {
            "models": list(self.names),
            "layers": layers,
            "units": self._units(layers),
            "divergence": self._divergence(both),
            **self._compared(both),
        }

    def _compared(self, both: Mapping[str, Model]) -> Mapping[str, Any]:
        """The verdict, figures and maps; of two architectures whose maps cannot be compared the reason."""
        try:
            view = compare(both, list(self.book.shown.maps), self.images[:SHOWN]).view
            found = {"verdict": view.verdict.text, "pictures": self._pictures(view)}
        except CrosslensError as error:
            return {"verdict": str(error), "methods": [], "pictures": []}
        return {**found, "methods": [{"method": each.method, "figures": dict(each.worst)} for each in view.pairs]}

    def _layers(self, alignment: Alignment) -> Sequence[Mapping[str, Any]]:
        return [
            {"a": row.layers[0], "b": row.layers[1], "a_id": self.book.ids[row.layers[0]], "similarity": row.agreement}
            for row in alignment.rows
            if row.layers[0] is not None and row.layers[1] is not None
        ]

    def _units(self, layers: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
        """Of those layers whose units have pages."""
        found = []
        for place, row in enumerate(layers):
            if row["a"] in self.book.layers and row["a"] != INPUT:
                a = _samples(self.book.model, row["a"], self.images)
                b = _samples(self.other, row["b"], self.images)
                if len(a) == len(b) and max(a.shape[1], b.shape[1]) <= MOST_UNITS:
                    found.append({"pair": place, "matches": matched_units(a, b)})
        return found

    def _divergence(self, both: Mapping[str, Model]) -> Mapping[str, Any]:
        try:
            found = diverge(both, images=self.images[:SHOWN])
        except ComparisonError as error:
            return {"text": str(error), "rows": []}
        rows = [
            {"a": each.a, "b": each.b, "error": each.error, "added": each.own, "fault": each.leaves_noise}
            for each in found.steps
        ]
        return {"text": found.text, "rows": rows}

    def _pictures(self, view: ComparisonView) -> Sequence[Mapping[str, Any]]:
        shown, bounds = as_numpy(self.images), self.book.model.input.bounds or (0.0, 1.0)
        found = []
        for n, image in enumerate(view.images):
            previews = view.previews(n)
            maps = [
                {
                    "method": method,
                    "a": picture_url(previews[method, self.names[0]]),
                    "b": picture_url(previews[method, self.names[1]]),
                    "distance": image.distances.get(method),
                }
                for method in view.methods
                if all((method, name) in previews for name in self.names)
            ]
            found.append({"title": image.title, "image": picture_url(pixels(shown[n], bounds)), "maps": maps})
        return found


def _samples(model: Model, layer: str, images: Array) -> np.ndarray[Any, Any]:
    """(samples, units) of a layer at evenly spread positions of all images."""
    values = as_numpy(model.forward(model.placed(images), [layer])[layer])
    if values.ndim > 3:
        values = np.moveaxis(values, 1, -1)
    rows = values.reshape(-1, values.shape[-1])
    return rows[:: max(1, -(-len(rows) // SAMPLES))]
