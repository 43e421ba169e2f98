"""Drawing: a grid of pictures, each with its name and a line of small print below it."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE, GAP, CAPTION, HEAD = 320, 8, 34, 24


@dataclass(frozen=True)
class Tile:
    """One method: its picture (H, W, 3), its name and a line below that."""

    picture: np.ndarray[Any, Any]
    name: str
    small: str = ""


def grid(tiles: list[Tile], title: str, columns: int = 3) -> Image.Image:
    """The tiles row by row, below a title."""
    rows = ceil(len(tiles) / columns)
    page = Image.new("RGB", (columns * (TILE + GAP) - GAP, HEAD + rows * (TILE + CAPTION)), "white")
    draw, large, small = ImageDraw.Draw(page), ImageFont.load_default(14), ImageFont.load_default(11)
    draw.text((2, 3), title, fill="black", font=large)
    for number, tile in enumerate(tiles):
        left, top = number % columns * (TILE + GAP), HEAD + number // columns * (TILE + CAPTION)
        page.paste(Image.fromarray(tile.picture).resize((TILE, TILE), Image.Resampling.LANCZOS), (left, top))
        draw.text((left + 2, top + TILE), tile.name, fill="black", font=large)
        draw.text((left + 2, top + TILE + 17), tile.small, fill="grey", font=small)
    return page
