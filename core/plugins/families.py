"""Families of methods: what listings show together, each under its title."""

from collections.abc import Mapping
from importlib import import_module

from .registry import METHODS, Plugin, plugins

__all__ = ["families", "family"]

_OURS = "crosslens"


def family(entry: Plugin) -> str:
    """The title that a method is listed under.

    Of crosslens' own methods what stands before the colon in the docstring of their folder; of others the distribution
    that brings them.
    """
    if entry.distribution != _OURS:
        return f"From {entry.distribution}"
    return (import_module(entry.module.rpartition(".")[0]).__doc__ or "").partition(":")[0].strip()


def families() -> Mapping[str, list[str]]:
    """The names of all methods by the title of their family, both in alphabetical order, crosslens' own ones first."""
    found: dict[tuple[bool, str], dict[str, None]] = {}
    for entry in sorted(plugins(METHODS), key=lambda entry: entry.name):
        found.setdefault((entry.distribution != _OURS, family(entry)), {})[entry.name] = None
    return {title: list(found[ours, title]) for ours, title in sorted(found)}
