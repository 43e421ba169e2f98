"""The pictures of a report, as data URIs: originals, maps on one colour scale, differences on their own."""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ..arrays import as_numpy
from ..compare import Comparison
from ..image import colour, full_scale, overlay
from ..result import Attribution, Result, Synthesis

__all__ = ["Scale", "data_uri", "difference", "has_maps", "original", "scale", "shown"]

Pixels = np.ndarray[Any, Any]
SMALLEST = 160
"""A picture of fewer pixels is enlarged to this many a side, pixel by pixel, so that a browser does not blur it."""


def data_uri(pixels: Pixels) -> str:
    """(H, W, 3) uint8 as a PNG inside a URI."""
    factor = -(-SMALLEST // min(pixels.shape[:2])) if min(pixels.shape[:2]) < SMALLEST else 1
    large = pixels.repeat(factor, axis=0).repeat(factor, axis=1)
    file = BytesIO()
    Image.fromarray(large).save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


def has_maps(result: Result) -> bool:
    """Whether a result can be drawn: maps, or pictures that were made."""
    return isinstance(result, Synthesis) or (isinstance(result, Attribution) and result.values.ndim in {3, 4})


def original(result: Result, index: int) -> Pixels:
    """Image `index` that a result explains."""
    return _rgb(as_numpy(result.images)[index])


@dataclass(frozen=True)
class Scale:
    """The colour scale that all models' maps of one image share."""

    limit: float
    """The magnitude at its end; see `crosslens.image.full_scale`."""
    signed: bool
    """Whether it has two sides, zero in the middle."""

    def bar(self) -> Pixels:
        """Its colours from least to largest, (8, 256, 3)."""
        values = np.linspace(-1.0 if self.signed else 0.0, 1.0, 256)[None]
        return colour(values, 1.0, self.signed).repeat(8, axis=0)


def scale(comparison: Comparison, method: str, index: int) -> Scale:
    """From the maps of one image by one method on every model."""
    maps = [_map(comparison.results[method, model], index) for model in comparison.models]
    return Scale(full_scale(np.stack(maps)), any(bool((m < 0).any()) for m in maps))


def shown(result: Result, index: int, on: Scale) -> Pixels:
    """A map laid over its image; or the picture made."""
    if isinstance(result, Synthesis):
        return original(result, index)
    image = as_numpy(result.images)[index]
    assert isinstance(result, Attribution)
    values = as_numpy(result.upsampled(image.shape[-2:]))[index]
    return overlay(image, values, on.limit, signed=on.signed)


def difference(a: Result, b: Result, index: int) -> tuple[Pixels, float]:
    """The difference of two maps in colours, red where the first is larger, and the magnitude of full colour.

    The colour scale is the difference's own, so that it shows where, not how much. No difference at all is 0.
    """
    values = _map(a, index) - _map(b, index)
    limit = full_scale(values) if values.any() else 0.0
    return colour(values, limit, signed=True), limit


def _map(result: Result, index: int) -> Pixels:
    """(h, w) that is drawn: the map, or the mean over the channels of a picture that was made."""
    if isinstance(result, Synthesis):
        return np.asarray(as_numpy(result.images)[index].mean(axis=0), np.float64)
    assert isinstance(result, Attribution)
    return np.asarray(as_numpy(result.maps())[index], np.float64)


def _rgb(image: Pixels) -> Pixels:
    channels = np.moveaxis(image if image.shape[0] == 3 else image[:1].repeat(3, axis=0), 0, -1)
    return np.asarray((channels.clip(0, 1) * 255).round(), np.uint8)
