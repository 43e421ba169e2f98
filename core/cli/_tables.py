"""Tables and JSON on stdout."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

import click

__all__ = ["JSON", "echo_json", "table"]

JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON instead of text.")


def echo_json(value: Any) -> None:
    """Print a value as JSON, numbers that JSON does not have (NaN, infinity) as null."""
    click.echo(json.dumps(_finite(value), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and value - value != 0 else value


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
