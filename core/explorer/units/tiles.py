"""The small picture of each unit on its layer's page: its visualisation, else its best example."""

from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from ..book import Book
from ..data_folder import DataFolder
from ..data_urls import picture_sheet
from .crops import fitted
from .unit_choice import unit_count

__all__ = ["unit_tiles"]

Pixels = np.ndarray[Any, Any]
SIDE = 48
ACROSS = 16
QUALITY = 70
KNOWN = 8192
"""Small pictures kept in memory, of 7 kB each: a layer's page is written again when its units have visualisations."""


def unit_tiles(book: Book, folder: DataFolder, layer: str) -> tuple[Mapping[str, Any] | None, list[str]]:
    """A small picture of each unit, from what is in the folder, and what it is: "visualisation", "example" or "".

    White where there is neither; None, and "" for each unit, where no unit has one.
    """
    number = book.ids[layer]
    tiles, shown = [], []
    for unit in range(unit_count(book, layer)):
        tile, kind = _tile(folder, f"{number}/{unit}")
        tiles.append(np.full((SIDE, SIDE, 3), 255, np.uint8) if tile is None else tile)
        shown.append(kind)
    if not any(shown):
        return None, shown
    return picture_sheet(tiles, across=ACROSS, quality=QUALITY), shown


def _tile(folder: DataFolder, name: str) -> tuple[Pixels | None, str]:
    for kind, picture in (("visualisations", "visualisation"), ("units", "example")):
        path = folder.path(f"{kind}/{name}")
        with suppress(OSError):
            state = path.stat()
            tile = _small_picture(folder, f"{kind}/{name}", state.st_mtime_ns, state.st_size)
            if tile is not None:
                return tile, picture
    return None, ""


@lru_cache(maxsize=KNOWN)
def _small_picture(folder: DataFolder, key: str, changed: int, size: int) -> Pixels | None:
    """The visualisation or the best example in a file of a unit, (SIDE, SIDE, 3); None where it has none.

    Args:
        folder, key: of the file.
        changed, size: its time and its bytes, so that a file that was written anew is read anew.
    """
    value = folder.read(key)
    if value.get("positive") is not None:
        return fitted(_decoded(value["positive"]), SIDE)
    crops = (value.get("examples") or {}).get("crops")
    return None if crops is None else fitted(_decoded(crops["image"])[: crops["height"], : crops["width"]], SIDE)


def _decoded(url: str) -> Pixels:
    with Image.open(BytesIO(b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))
