"""Parameters that belong together: declared once, shared by methods, and shown together in help.

A group is a dataclass that methods inherit from beside `Method`. Its parameters stay plain keywords of the method, so
that presets, `crosslens search`, saved results and the command line name them as any other.
"""

from dataclasses import Field
from typing import Any, ClassVar

from .parameter import parameters

__all__ = ["ParameterGroup", "group_title", "grouped_parameters"]


class ParameterGroup:
    """The base of a group; a subclass is a frozen, keyword-only dataclass with a title."""

    title: ClassVar[str]
    """What its parameters are about, as a heading of help."""


def group_title(method: Any, parameter: str) -> str:
    """The title of the group that a parameter was declared in first; "" for one of the method's own.

    Args:
        method: a method or its class.
        parameter: the parameter's name.
    """
    kind = method if isinstance(method, type) else type(method)
    declaring = next(base for base in reversed(kind.__mro__) if parameter in vars(base).get("__annotations__", {}))
    return str(vars(declaring).get("title", "")) if issubclass(declaring, ParameterGroup) else ""


def grouped_parameters(method: Any) -> dict[str, list[Field[Any]]]:
    """A method's parameters by the title of their group, its own first, under ""."""
    groups: dict[str, list[Field[Any]]] = {"": []}
    for each in parameters(method):
        groups.setdefault(group_title(method, each.name), []).append(each)
    return {title: fields for title, fields in groups.items() if fields}
