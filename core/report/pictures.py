"""The pictures of a report, as data URIs: originals, maps on one colour scale to lay over them, and differences.

An original stands in the page once, and each map lies over it as colours with transparency, at the map's own
resolution: a page of 200 photographs stays small.
"""

from base64 import b64encode
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ..arrays import as_numpy
from ..comparison.compare import Comparison
from ..image.false_colour import pixels, side_by_side
from ..image.io import colour, full_scale, opacity
from ..result import Attribution, Result, Synthesis
from ..result.display import grey, magnitude_limit

__all__ = ["Room", "Scale", "data_uri", "difference", "has_maps", "layer", "original", "room", "scale"]

Pixels = np.ndarray[Any, Any]
_LEVELS = 255
"""Colours of a scale; an odd number, so that zero has its own."""


@dataclass(frozen=True)
class Room:
    """How large pictures may be, so that a page of many stays small."""

    side: int
    """Pixels a side, of an original."""
    map_side: int
    """Values a side, of a map."""
    colours: int | None
    """Colours of an original; None for all."""


def room(count: int) -> Room:
    """The room for each of `count` pictures: all there is for a few, less for many."""
    return Room(512, 512, None) if count <= 4 else Room(256, 256, 256) if count <= 16 else Room(224, 112, 96)


def data_uri(pixels: Pixels) -> str:
    """(H, W, 3) uint8 as a PNG inside a URI."""
    return _encoded(Image.fromarray(pixels))


def _encoded(picture: Image.Image, **options: Any) -> str:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True, **options)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


def has_maps(result: Result) -> bool:
    """Whether a result can be drawn: maps, or pictures that were made."""
    return isinstance(result, Synthesis) or (isinstance(result, Attribution) and result.values.ndim in {3, 4, 5})


def original(result: Result, index: int, within: Room) -> str:
    """Image `index` that a result explains, or that it made, as a URI."""
    picture = Image.fromarray(pixels(as_numpy(result.images)[index], result.bounds, result.bands))
    picture.thumbnail((within.side, within.side))
    return _encoded(picture if within.colours is None else picture.quantize(within.colours))


@dataclass(frozen=True)
class Scale:
    """The colour scale that all models' maps of one image share."""

    limit: float
    """The magnitude at its end; see `crosslens.image.io.full_scale`."""
    signed: bool
    """Whether it has two sides, zero in the middle."""
    grey: bool = False
    """Whether it goes from black to white and hides the picture, as for magnitudes of single pixels."""

    def bar(self) -> Pixels:
        """Its colours from least to largest, (8, 255, 3)."""
        return self._colours()[None].repeat(8, axis=0)

    def _places(self) -> Pixels:
        return np.linspace(-1.0 if self.signed else 0.0, 1.0, _LEVELS)

    def _colours(self) -> Pixels:
        if self.grey:
            return np.asarray(grey(self._places()[None], 1.0)[0])
        return np.asarray(colour(self._places()[None], 1.0, self.signed)[0])

    def levels(self, values: Pixels) -> Pixels:
        """Which of the scale's colours each value takes, uint8."""
        share = (values / self.limit).clip(-1, 1)
        return np.asarray(((share + 1) / 2 if self.signed else share.clip(0)) * (_LEVELS - 1) + 0.5, np.uint8)

    def coloured(self, values: Pixels, *, over_picture: bool) -> str:
        """Values (h, w) in the scale's colours as a URI; to lay over a picture, the fainter the nearer to zero.

        Magnitudes in grey hide the picture.
        """
        picture = Image.fromarray(self.levels(values))
        picture.putpalette(self._colours().tobytes())
        covers = (255 * opacity(self._places())).round().astype(np.uint8)
        return _encoded(picture, **({"transparency": covers.tobytes()} if over_picture and not self.grey else {}))


def scale(comparison: Comparison, method: str, index: int) -> Scale:
    """From the maps of one image by one method on every model."""
    results = [comparison.results[method, model] for model in comparison.models]
    maps = np.stack([_drawn(result, index) for result in results])
    if any(map(_is_per_pixel, results)):
        return Scale(magnitude_limit(maps), False, grey=True)
    return Scale(full_scale(maps), bool((maps < 0).any()))


def layer(result: Result, index: int, on: Scale, within: Room) -> str:
    """A map to lay over its image, as a URI; or the picture made."""
    if isinstance(result, Synthesis):
        return original(result, index, within)
    return on.coloured(_shrunk(_drawn(result, index), within.map_side), over_picture=True)


def difference(a: Result, b: Result, index: int, within: Room) -> tuple[str, float]:
    """The difference of two maps in colours, red where the first is larger, and the magnitude of full colour.

    The colour scale is the difference's own, so that it shows where, not how much. No difference at all is 0.
    """
    values = _map(a, index) - _map(b, index)
    limit = full_scale(values) if values.any() else 0.0
    return Scale(limit or 1.0, True).coloured(_shrunk(values, within.map_side), over_picture=False), limit


def _is_per_pixel(result: Result) -> bool:
    return isinstance(result, Attribution) and result.is_per_pixel


def _drawn(result: Result, index: int) -> Pixels:
    """(h, w) that is drawn: magnitudes where each pixel has values of its own, else the map."""
    if isinstance(result, Attribution) and result.is_per_pixel:
        return _flat(as_numpy(_one(result, index).magnitudes())[0])
    return _map(result, index)


def _one(result: Attribution, index: int) -> Attribution:
    return replace(result, values=result.values[index : index + 1, ...])


def _map(result: Result, index: int) -> Pixels:
    """(h, w) that is compared: the map, or the mean over the channels of a picture that was made."""
    if isinstance(result, Synthesis):
        return _flat(as_numpy(result.images)[index].mean(axis=0))
    assert isinstance(result, Attribution)
    return _flat(as_numpy(_one(result, index).maps())[0])


def _flat(values: Pixels) -> Pixels:
    """(h, w), float64; the slices of a volume side by side, as its picture shows them."""
    return np.asarray(side_by_side(values) if values.ndim == 3 else values, np.float64)


def _shrunk(values: Pixels, side: int) -> Pixels:
    """(h, w) with at most `side` values a side: of each block the value of largest magnitude, so that none is lost."""
    factor = -(-max(values.shape) // side)
    if factor == 1:
        return values
    height, width = (-(-n // factor) for n in values.shape)
    padded = np.zeros((height * factor, width * factor))
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(height, factor, width, factor).swapaxes(1, 2).reshape(height, width, -1)
    strongest = np.abs(blocks).argmax(axis=2)
    return np.asarray(np.take_along_axis(blocks, strongest[..., None], axis=2)[..., 0])
