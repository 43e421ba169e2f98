"""Tables and JSON on stdout."""

from typing import Any

import click

from ...result.strict_json import dumps
from ...result.text_table import text_table as table

__all__ = ["JSON", "echo_json", "table"]

JSON = click.Option(["--json", "as_json"], is_flag=True, help="Print JSON instead of text.")


def echo_json(value: Any) -> None:
    """Print a value as JSON, numbers that JSON does not have (NaN, infinity) as null."""
    click.echo(dumps(value))
