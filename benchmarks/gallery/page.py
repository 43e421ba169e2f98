"""Drawing: rows of pictures with a name at the left and a figure at the right, laid out in blocks side by side."""

from dataclasses import dataclass, field
from math import ceil
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

TILE, GAP, HEAD = 112, 4, 36
LEFT, RIGHT = 158, 52


@dataclass(frozen=True)
class Row:
    """One method."""

    name: str
    pictures: list[np.ndarray[Any, Any]]
    small: str = ""
    figure: str = ""


@dataclass(frozen=True)
class Page:
    """A sheet: what its columns are, and what stands above it."""

    columns: list[str]
    title: str
    blocks: int = 2
    tile: int = TILE
    fonts: tuple[Any, Any] = field(default_factory=lambda: (ImageFont.load_default(12), ImageFont.load_default(10)))

    @property
    def width(self) -> int:
        """Of a block."""
        return LEFT + len(self.columns) * (self.tile + GAP) + RIGHT

    def drawn(self, rows: list[Row]) -> Image.Image:
        """The sheet, rows running down the first block, then the next."""
        deep = ceil(len(rows) / self.blocks)
        page = Image.new("RGB", (self.blocks * self.width, HEAD + deep * (self.tile + GAP)), "white")
        draw = ImageDraw.Draw(page)
        draw.text((6, 3), self.title, fill="black", font=self.fonts[0])
        for block in range(self.blocks):
            self._header(draw, block * self.width)
        for place, row in enumerate(rows):
            self._row(page, row, place // deep * self.width, HEAD + place % deep * (self.tile + GAP))
        return page

    def _header(self, draw: ImageDraw.ImageDraw, left: int) -> None:
        for number, column in enumerate(self.columns):
            draw.text((left + LEFT + number * (self.tile + GAP), HEAD - 17), column, fill="black", font=self.fonts[0])
        if len(self.columns) > 1:
            place = left + LEFT + len(self.columns) * (self.tile + GAP)
            draw.text((place, HEAD - 15), "differ by", fill="grey", font=self.fonts[1])

    def _row(self, page: Image.Image, row: Row, left: int, top: int) -> None:
        draw, middle = ImageDraw.Draw(page), top + self.tile // 2 - 8
        draw.text((left + 6, middle), row.name, fill="black", font=self.fonts[0])
        draw.text((left + 6, middle + 15), row.small, fill="grey", font=self.fonts[1])
        for number, picture in enumerate(row.pictures):
            small = Image.fromarray(picture).resize((self.tile, self.tile), Image.Resampling.LANCZOS)
            page.paste(small, (left + LEFT + number * (self.tile + GAP), top))
        place = left + LEFT + len(row.pictures) * (self.tile + GAP)
        draw.text((place, middle + 2), row.figure, fill="black", font=self.fonts[1])
