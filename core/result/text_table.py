"""Tables as text: in columns to be printed, and comma-separated (RFC 4180) for other programs."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import TextIOWrapper
from typing import IO, Any
from unicodedata import combining, east_asian_width

import numpy as np

from ..arrays import Array, as_numpy
from ..printable import printable

__all__ = ["text_table", "write_csv"]


def text_table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Text in columns as wide as their widest cell, never cut to a width, so that it can be read and piped.

    What cannot be printed in a cell is escaped, and cells of thousands of characters lose their middle.

    >>> print(text_table(["name", "shape"], [["conv1", "4 x 8"], ["fc", "5"]]))
    name   shape
    conv1  4 x 8
    fc     5
    """
    cells = [[printable(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(_padded(c, w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _width(text: str) -> int:
    """Columns on a terminal: East Asian characters take two, accents that stand alone none."""
    return sum(0 if combining(c) else 1 + (east_asian_width(c) in {"W", "F"}) for c in text)


def write_csv(columns: Mapping[str, Array], file: IO[bytes]) -> None:
    """Write columns of one length, UTF-8, below their names; fractions in the digits that tell them from all others.

    A column (N, K, ...) becomes one for each of a row's numbers, NAME_0 to NAME_K-1, the last axis fastest.
    """
    flat = dict(_flat(columns))
    text = TextIOWrapper(file, "utf-8", "backslashreplace", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(flat)
    writer.writerows(zip(*(_words(values) for values in flat.values()), strict=True))
    text.detach()


def _flat(columns: Mapping[str, Array]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Columns of one number or text a row."""
    for name, column in columns.items():
        values = as_numpy(column)
        if values.ndim == 1:
            yield name, values
        else:
            rows = values.reshape(len(values), -1)
            yield from ((f"{name}_{place}", rows[:, place]) for place in range(rows.shape[1]))


def _words(values: np.ndarray[Any, Any]) -> list[Any]:
    plain: list[Any] = (values.astype(str) if values.dtype.kind == "f" else values).tolist()
    return plain
