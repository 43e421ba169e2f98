"""An option that takes one value is given once: click would take the last one and drop the others in silence."""

from collections.abc import Sequence
from typing import Any

import click

__all__ = ["refuse_repeats"]


def refuse_repeats(command: click.Command) -> None:
    """Let a command refuse an option with one value that is given twice. Flags may be repeated; they say the same."""
    make_parser = command.make_parser
    if getattr(make_parser, "refuses_repeats", False):
        return

    def checking(context: click.Context) -> Any:
        parser = make_parser(context)
        parse = parser.parse_args

        def parse_args(args: list[str]) -> Any:
            values, rest, order = parse(args)
            _refuse(order, context)
            return values, rest, order

        parser.parse_args = parse_args  # type: ignore[method-assign]
        return parser

    checking.refuses_repeats = True  # type: ignore[attr-defined]
    command.make_parser = checking  # type: ignore[method-assign,assignment]
    if isinstance(command, click.Group):
        _refuse_below(command)


def _refuse_below(group: click.Group) -> None:
    """The same for the commands of a group, such as the methods of `run`."""
    get_command = group.get_command

    def found(context: click.Context, name: str) -> click.Command | None:
        command = get_command(context, name)
        if command:
            refuse_repeats(command)
        return command

    group.get_command = found  # type: ignore[method-assign,assignment]


def _refuse(order: Sequence[click.Parameter], context: click.Context) -> None:
    once = [
        each for each in order if isinstance(each, click.Option) and not (each.multiple or each.is_flag or each.count)
    ]
    for option in once:
        if once.count(option) > 1:
            name = max(option.opts, key=len)
            raise click.UsageError(
                f"{name} is given {once.count(option)} times; it takes one value: give it once", context
            )
