"""`crosslens methods`: which methods there are, and the parameters of one."""

from collections.abc import Iterator
from dataclasses import MISSING, Field
from inspect import cleandoc
from typing import Any

import click

from ..errors import PluginError
from ..method.base import Method
from ..method.parameter import parameters
from ..plugins.registry import method_class, methods
from ._parameters import default_of, first_line, type_name
from ._tables import JSON, echo_json, table

__all__ = ["command"]


def _methods(name: str | None, as_json: bool) -> None:
    """List the methods with a line each, or show one with its parameters."""
    found = [method_class(name)] if name else list(_loaded())
    if as_json:
        shown = [_described(kind) for kind in found]
        echo_json(shown[0] if name else shown)
    elif name:
        click.echo(_page(found[0]))
    else:
        click.echo(table(["method", "what it shows"], [(kind.name, first_line(kind)) for kind in found]))


def _loaded() -> Iterator[type[Method]]:
    """Every method that loads; the others are named on stderr."""
    for name in sorted(methods()):
        try:
            yield method_class(name)
        except PluginError as error:
            click.echo(f"Note: {error}", err=True)


def _page(kind: type[Method]) -> str:
    rows = [
        (f"--{p.name.replace('_', '-')}", _takes(kind, p), _default(default_of(p)), p.metadata.get("doc", ""))
        for p in parameters(kind)
    ]
    listing = table(["option", "takes", "default", "meaning"], rows) if rows else "It has no parameters."
    usage = f"crosslens run {kind.name} MODEL {'IMAGE ' if kind.needs_images else ''}-o {kind.name}.png"
    parts = [f"{kind.name}: {cleandoc(kind.__doc__ or '')}", listing, *_presets(kind), usage]
    return "\n\n".join(parts)


def _takes(kind: type[Method], parameter: Field[Any]) -> str:
    """The type of a parameter and the bounds of its numbers."""
    bounds = parameter.metadata.get("bounds")
    return f"{type_name(kind, parameter)}, {bounds}" if bounds else type_name(kind, parameter)


def _presets(kind: type[Method]) -> list[str]:
    """What `--preset` reproduces; nothing where the method has none."""
    rows = [(library, preset.summary(), preset.doc) for library, preset in kind.presets.items()]
    return [table(["--preset", "parameters and steps", "peculiar"], rows)] if rows else []


def _default(value: Any) -> str:
    if value is MISSING:
        return "(required)"
    return "-" if value is None else str(value)


def _described(kind: type[Method]) -> dict[str, Any]:
    return {
        "name": kind.name,
        "doc": cleandoc(kind.__doc__ or ""),
        "needs_images": kind.needs_images,
        "needs_target": kind.needs_target,
        "parameters": [
            {
                "name": p.name,
                "type": type_name(kind, p),
                "required": default_of(p) is MISSING,
                "default": None if default_of(p) is MISSING else default_of(p),
                "doc": p.metadata.get("doc", ""),
                "bounds": p.metadata["bounds"].record() if "bounds" in p.metadata else {},
            }
            for p in parameters(kind)
        ],
        "presets": {
            library: {
                "parameters": dict(preset.parameters),
                "steps": [step.name for step in preset.steps],
                "doc": preset.doc,
            }
            for library, preset in kind.presets.items()
        },
    }


command = click.Command(
    "methods",
    callback=_methods,
    params=[click.Argument(["name"], required=False), JSON],
    help=_methods.__doc__,
)
