"""`crosslens plugins`: list every plugin, who brings it, and whether it loads."""

from typing import Any

import click

from ..errors import PluginError
from ..plugins.registry import BACKENDS, DEMO_NETWORKS, METHODS, STYLE_TRAINERS, Plugin, load, plugin, plugins
from ._options.models import quiet
from ._text.echo import echo
from ._text.tables import JSON, echo_json, table

__all__ = ["command", "states"]


def _plugins(as_json: bool) -> None:
    """List every plugin, who brings it, and whether it loads.

    This imports every plugin and its framework, which takes some seconds.
    """
    with quiet():
        records = [state for group in (METHODS, BACKENDS, DEMO_NETWORKS, STYLE_TRAINERS) for state in states(group)]
    if as_json:
        echo_json(records)
        return
    rows = [[*(state[key] for key in _COLUMNS), state["error"] or "loads"] for state in records]
    echo(table([*_COLUMNS, "state"], rows))


_COLUMNS = ("group", "name", "module", "distribution", "version")


def states(group: str) -> list[dict[str, Any]]:
    """Each plugin of a group as a record, with `error`: why it does not load, or None."""
    return [{**vars(each), "group": group.rpartition(".")[2], "error": _failure(each)} for each in plugins(group)]


def _failure(entry: Plugin) -> str | None:
    """Why a plugin does not load, or cannot be told from another of its name."""
    try:
        load(plugin(entry.group, entry.name))
    except PluginError as error:
        return str(error)
    return None


command = click.Command("plugins", callback=_plugins, params=[JSON], help=_plugins.__doc__)
