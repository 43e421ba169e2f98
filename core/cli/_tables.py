"""Tables and JSON on stdout."""

from collections.abc import Iterable, Sequence
from typing import Any

import click

from ..result.strict_json import dumps

__all__ = ["JSON", "echo_json", "table"]

JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON instead of text.")


def echo_json(value: Any) -> None:
    """Print a value as JSON, numbers that JSON does not have (NaN, infinity) as null."""
    click.echo(dumps(value))


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Text in columns as wide as their widest cell, never cut, so that it can be read and piped.

    >>> print(table(["name", "shape"], [["conv1", "4 x 8"], ["fc", "5"]]))
    name   shape
    conv1  4 x 8
    fc     5
    """
    cells = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
