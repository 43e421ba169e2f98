"""The option --memory-limit, which every command takes."""

from typing import Any

import click

from ...limits.memory import set_memory_limit

__all__ = ["offer_memory_limit"]


def offer_memory_limit(command: click.Command) -> None:
    """Add the option to a command, and to the commands of a group such as the methods of `run`; once."""
    if not isinstance(command, click.Group):
        if not any(isinstance(each, _MemoryLimit) for each in command.params):
            command.params.append(_MemoryLimit())
        return
    get_command = command.get_command
    if getattr(get_command, "offers_memory_limit", False):
        return

    def found(context: click.Context, name: str) -> click.Command | None:
        below = get_command(context, name)
        if below:
            offer_memory_limit(below)
        return below

    found.offers_memory_limit = True  # type: ignore[attr-defined]
    command.get_command = found  # type: ignore[method-assign,assignment]


class _MemoryLimit(click.Option):
    """Takes effect when it is read, until the command ends; no value reaches the command's function."""

    def __init__(self) -> None:
        super().__init__(
            ["--memory-limit"],
            metavar="SIZE",
            expose_value=False,
            callback=_limit,
            help="Memory that this process may take in all, such as 8GB; what it has and three quarters of what is "
            "free if not given. Work that would take more is refused or stopped.",
        )


def _limit(context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is not None:
        set_memory_limit(value)
        context.call_on_close(lambda: set_memory_limit(None))
