"""`crosslens methods`: list the methods, one line each, or show the parameters of one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field
from inspect import cleandoc, getmodule
from typing import Any

import click

from ..errors import PluginError
from ..method.dataset import AnyMethod, DatasetMethod
from ..method.parameter_group import grouped_parameters
from ..plugins.families import families
from ..plugins.registry import method_class
from ._options.parameters import default_of, first_line, flags_of, tell_difference, type_name
from ._text.echo import echo
from ._text.tables import JSON, echo_json, table

__all__ = ["command"]


def _methods(name: str | None, as_json: bool) -> None:
    """List the methods, one line each, or show the parameters of one."""
    if name:
        kind = method_class(name)
        tell_difference(name)
        echo(_page(kind)) if not as_json else echo_json(_record(kind, _family_of(kind.name)))
        return
    listed = {title: list(_loadable(names)) for title, names in families().items()}
    if as_json:
        records = [_record(kind, title) for title, kinds in listed.items() for kind in kinds]
        echo_json(sorted(records, key=lambda record: str(record["name"])))
    else:
        echo(_listing_of(listed))


def _loadable(names: Sequence[str]) -> Iterator[type[AnyMethod]]:
    """Those that load; the others are named on stderr."""
    for name in names:
        try:
            yield method_class(name)
        except PluginError as error:
            echo(f"Note: {error}", err=True)


def _listing_of(listed: Mapping[str, Sequence[type[AnyMethod]]]) -> str:
    """Each family under its title, a line a method, and what the marks mean."""
    names = [_MARKS[_over(kind)] for kinds in listed.values() for kind in kinds]
    width = max((len(kind.name) for kinds in listed.values() for kind in kinds), default=0)
    parts = [
        "\n".join([title, *(f"{_MARKS[_over(k)]} {k.name.ljust(width)}  {first_line(k)}" for k in kinds)])
        for title, kinds in listed.items()
        if kinds
    ]
    legend = [f"{_MARKS[over]} {text}" for over, text in _LEGEND.items() if _MARKS[over] in names]
    return "\n\n".join([*parts, "\n".join(legend)])


_MARKS = {"image": " ", "network": "*", "data set": "+"}
_LEGEND = {"network": "needs no picture", "data set": "runs over a data set, such as a folder of pictures"}


def _family_of(name: str) -> str:
    return next(title for title, names in families().items() if name in names)


def _page(kind: type[AnyMethod]) -> str:
    listings = [_listing(kind, title, fields) for title, fields in grouped_parameters(kind).items()]
    about = f"{kind.name}: {cleandoc(kind.__doc__ or '')}"
    return "\n\n".join([about, *(listings or ["It has no parameters."]), *_presets(kind), *_source(kind), _usage(kind)])


def _source(kind: type[AnyMethod]) -> list[str]:
    """The first paragraph of the module's docstring, which names the paper; nothing where there is none."""
    paragraph = (getmodule(kind).__doc__ or "").strip().partition("\n\n")[0]
    return [f"Source: {' '.join(paragraph.split())}"] if paragraph else []


def _listing(kind: type[AnyMethod], title: str, fields: Sequence[Field[Any]]) -> str:
    """A table of the parameters of one group."""
    rows = [(flags_of(kind, p), _takes(kind, p), _default(default_of(p)), p.metadata.get("doc", "")) for p in fields]
    return table([title or "option", "takes", "default", "meaning"], rows)


def _takes(kind: type[AnyMethod], parameter: Field[Any]) -> str:
    """What comes behind the option, with the bounds of numbers; "-" for nothing, as behind --ratio and --no-ratio."""
    if "/" in flags_of(kind, parameter):
        return "-"
    bounds = parameter.metadata.get("bounds")
    return f"{type_name(kind, parameter)}, {bounds}" if bounds else type_name(kind, parameter)


def _over(kind: type[AnyMethod]) -> str:
    """What a method works on: an image, a data set of many, or the network alone."""
    if issubclass(kind, DatasetMethod):
        return "data set"
    return "image" if kind.needs_images else "network"


def _usage(kind: type[AnyMethod]) -> str:
    inputs = {"data set": "DATA ", "image": "IMAGE ", "network": ""}[_over(kind)]
    suffix = ".npz" if issubclass(kind, DatasetMethod) else ".png"
    return f"crosslens run {kind.name} MODEL {inputs}-o {kind.name}{suffix}"


def _presets(kind: type[AnyMethod]) -> list[str]:
    """What `--preset` reproduces; nothing where the method has none."""
    rows = [(library, preset.summary(), preset.doc) for library, preset in kind.presets.items()]
    return [table(["--preset", "parameters and steps", "peculiar"], rows)] if rows else []


def _default(value: Any) -> str:
    if value is MISSING:
        return "(required)"
    return "-" if value is None else str(value)


def _record(kind: type[AnyMethod], family: str) -> dict[str, Any]:
    return {
        "name": kind.name,
        "family": family,
        "doc": cleandoc(kind.__doc__ or ""),
        "over": _over(kind),
        "needs_images": getattr(kind, "needs_images", True),
        "needs_target": getattr(kind, "needs_target", False),
        "parameters": [
            {
                "name": p.name,
                "group": title,
                "type": type_name(kind, p),
                "required": default_of(p) is MISSING,
                "default": None if default_of(p) is MISSING else default_of(p),
                "doc": p.metadata.get("doc", ""),
                "bounds": p.metadata["bounds"].record() if "bounds" in p.metadata else {},
            }
            for title, fields in grouped_parameters(kind).items()
            for p in fields
        ],
        "presets": {
            library: {
                "parameters": dict(preset.parameters),
                "steps": [step.name for step in preset.postprocess],
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
