"""Text in columns, for tables that are printed."""

from collections.abc import Iterable, Sequence
from typing import Any

__all__ = ["text_table"]


def text_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Text in columns as wide as their widest cell, never cut, so that it can be read and piped.

    >>> print(text_table(["name", "shape"], [["conv1", "4 x 8"], ["fc", "5"]]))
    name   shape
    conv1  4 x 8
    fc     5
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
