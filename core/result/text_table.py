"""Text in columns, for tables that are printed."""

from collections.abc import Iterable, Sequence
from typing import Any
from unicodedata import combining, east_asian_width

__all__ = ["text_table"]


def text_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Text in columns as wide as their widest cell, never cut, so that it can be read and piped.

    >>> print(text_table(["name", "shape"], [["conv1", "4 x 8"], ["fc", "5"]]))
    name   shape
    conv1  4 x 8
    fc     5
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(_padded(c, w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns on a terminal: East Asian characters take two, accents that stand alone none."""
    return sum(0 if combining(c) else 1 + (east_asian_width(c) in {"W", "F"}) for c in text)
