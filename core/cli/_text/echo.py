"""What commands print for people: lines in which nothing from outside can act on the terminal."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click

from ...printable import printable

__all__ = ["echo", "printable_errors"]

LONGEST_ROW = 10_000
"""Characters of a line on stdout, which may be a row of a table."""


def echo(text: str, *, err: bool = False) -> None:
    """Print lines of text, each as `printable` makes it: names come from files and can hold anything.

    Args:
        text: the lines; they end at line feeds alone.
        err: print them on stderr, where each is a message; one that cannot be written there stops nothing.
    """
    lines = text.split("\n")
    if err:
        with suppress(OSError):
            click.echo("\n".join(map(printable, lines)), err=True)
    else:
        click.echo("\n".join(printable(line, LONGEST_ROW) for line in lines))


@contextmanager
def printable_errors() -> Iterator[None]:
    """Make the messages of click's errors one line that can be printed: they repeat what was typed."""
    try:
        yield
    except click.ClickException as error:
        error.message = printable(error.message)  # type: ignore[misc]
        raise
