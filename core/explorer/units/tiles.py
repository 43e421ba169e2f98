"""The small picture of each unit on its layer's page: its visualisation, else its best example."""

import json
from base64 import b64decode
from collections.abc import Mapping
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


def unit_tiles(book: Book, folder: DataFolder, layer: str) -> tuple[Mapping[str, Any] | None, list[str]]:
    """A small picture of each unit, from what is in the folder, and what it is: "visualisation", "example" or "".

    White where there is neither; None, and "" for each unit, where no unit has one.
    """
    number = book.ids[layer]
    tiles, shown = [], []
    for unit in range(unit_count(book, layer)):
        tile, kind = _tile(folder, f"{number}/{unit}")
        tiles.append(np.full((SIDE, SIDE, 3), 255, np.uint8) if tile is None else fitted(tile, SIDE))
        shown.append(kind)
    if not any(shown):
        return None, shown
    return picture_sheet(tiles, across=ACROSS, quality=QUALITY), shown


def _tile(folder: DataFolder, name: str) -> tuple[Pixels | None, str]:
    positive = (_value(folder, f"visualisations/{name}") or {}).get("positive")
    if positive is not None:
        return _decoded(positive), "visualisation"
    crops = ((_value(folder, f"units/{name}") or {}).get("examples") or {}).get("crops")
    if crops is not None:
        return _decoded(crops["image"])[: crops["height"], : crops["width"]], "example"
    return None, ""


def _value(folder: DataFolder, key: str) -> Mapping[str, Any] | None:
    """What a file holds; None where it is not there."""
    try:
        text = folder.path(key).read_text(encoding="utf-8")
    except OSError:
        return None
    value: Mapping[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1])
    return value


def _decoded(url: str) -> Pixels:
    with Image.open(BytesIO(b64decode(url.partition(",")[2]))) as picture:
        return np.asarray(picture.convert("RGB"))
