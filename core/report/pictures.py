"""Pictures of a report as data URIs: images, maps in the colours of one scale to lay over them, and differences.

An image stands in the page once, and each map lies over it as colours with transparency, at the map's own
resolution: a page of 200 photographs stays small.
"""

from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ..comparison.pictures import Difference, Pixels, Scale
from ..image.colormap import colour
from ..image.overlay import opacity
from ..result.display import grey

__all__ = ["Room", "coloured_difference", "coloured_map", "data_uri", "image_uri", "room", "scale_bar"]

_LEVELS = 255
"""Colours of a scale; an odd number, so that zero has its own."""


@dataclass(frozen=True)
class Room:
    """How large pictures may be, so that a page of many stays small."""

    side: int
    """Pixels a side, of an image."""
    map_side: int
    """Values a side, of a map."""
    colours: int | None
    """Colours of an image; None for all."""


def room(count: int) -> Room:
    """The room for each of `count` images: all there is for a few, less for many."""
    return Room(512, 512, None) if count <= 4 else Room(256, 256, 256) if count <= 16 else Room(224, 112, 96)


def data_uri(pixels: Pixels) -> str:
    """(H, W, 3) uint8 as a PNG inside a URI."""
    return _png_uri(Image.fromarray(pixels))


def image_uri(pixels: Pixels, within: Room) -> str:
    """(H, W, 3) uint8 as a PNG inside a URI, made smaller to fit the room."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((within.side, within.side))
    return _png_uri(picture if within.colours is None else picture.quantize(within.colours))


def coloured_map(values: Pixels, scale: Scale, within: Room) -> str:
    """A map (h, w) to lay over its image as a URI: in the scale's colours, the fainter the nearer to zero.

    Magnitudes in grey hide the image.
    """
    return _palette_uri(_shrunk(values, within.map_side), scale, transparent=not scale.grey)


def coloured_difference(difference: Difference, within: Room) -> str:
    """The difference of two maps in colours as a URI, red where the first is larger."""
    scale = Scale(difference.limit or 1.0, True)
    return _palette_uri(_shrunk(difference.values, within.map_side), scale, transparent=False)


def scale_bar(scale: Scale) -> str:
    """The colours of a scale from least to largest as a URI."""
    return data_uri(_colours(scale)[None].repeat(8, axis=0))


def _png_uri(picture: Image.Image, **options: Any) -> str:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True, **options)
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode()}"


def _palette_uri(values: Pixels, scale: Scale, *, transparent: bool) -> str:
    picture = Image.fromarray(_levels(values, scale))
    picture.putpalette(_colours(scale).tobytes())
    covers = (255 * opacity(_shares(scale))).round().astype(np.uint8)
    return _png_uri(picture, **({"transparency": covers.tobytes()} if transparent else {}))


def _shares(scale: Scale) -> Pixels:
    """The value of each colour as a share of the scale's limit."""
    return np.linspace(-1.0 if scale.signed else 0.0, 1.0, _LEVELS)


def _colours(scale: Scale) -> Pixels:
    if scale.grey:
        return np.asarray(grey(_shares(scale)[None], 1.0)[0])
    return np.asarray(colour(_shares(scale)[None], 1.0, scale.signed)[0])


def _levels(values: Pixels, scale: Scale) -> Pixels:
    """Which of the scale's colours each value takes, uint8."""
    share = ((values - scale.start) / (scale.limit - scale.start)).clip(-1, 1)
    return np.asarray(((share + 1) / 2 if scale.signed else share.clip(0)) * (_LEVELS - 1) + 0.5, np.uint8)


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
