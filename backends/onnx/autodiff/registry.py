"""Derivative rules, one operator per file, found in the `rules` package and in those that plugins name.

A rule gets the graph to append to, the node, and one cotangent per output (None where nothing flows); it returns one
cotangent per input, None where nothing flows. A cotangent has the shape of its input; the rule of a broadcasting
operator may leave it in the shape of the output (`broadcasts=True`), and the sweep sums it back.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules
from typing import TypeAlias

from crosslens.errors import PluginError
from crosslens.plugins import BACKENDS, Plugin, load, plugins

from ..ir.graph import Node

__all__ = ["Cotangents", "Rule", "rule_for", "stops", "vjp"]

Cotangents: TypeAlias = Sequence[str | None]
Derivative: TypeAlias = Callable[..., Cotangents]


@dataclass(frozen=True)
class Rule:
    """How one operator is differentiated, from version `since` on. No derivative: the gradient stops here."""

    since: int
    derivative: Derivative | None
    broadcasts: bool = False
    approximate: str = ""
    """In what way it is not the derivative ("straight through"), if it is not; gradients then flow along integers."""


_RULES: dict[tuple[str, str], list[Rule]] = {}


def vjp(
    *operators: str, since: int = 1, domain: str = "", broadcasts: bool = False, approximate: str = ""
) -> Callable[[Derivative], Derivative]:
    """Register a function `(g, node, *dys) -> Cotangents` for these operators, from opset `since` on."""

    def register(derivative: Derivative) -> Derivative:
        for operator in operators:
            _RULES.setdefault((domain, operator), []).append(Rule(since, derivative, broadcasts, approximate))
        return derivative

    return register


def stops(*operators: str, since: int = 1, domain: str = "") -> None:
    """Register operators whose output no gradient flows through: they are constant or count things."""
    for operator in operators:
        _RULES.setdefault((domain, operator), []).append(Rule(since, None))


def rule_for(node: Node) -> Rule | None:
    """The newest rule that this node's opset allows; None if there is none."""
    _discover()
    rules = [r for r in _RULES.get((node.domain, node.op), []) if r.since <= node.version]
    return max(rules, key=lambda r: r.since, default=None)


@cache
def _discover() -> None:
    _import_all(f"{__package__}.rules")
    for found in plugins(BACKENDS):
        if found.distribution != "crosslens":
            _discover_outside(found)


def _discover_outside(found: Plugin) -> None:
    """A plugin that fails takes only its own rules with it."""
    try:
        for name in chain.from_iterable(load(found).hook.crosslens_vjp_rules()):
            _import_all(name)
    except PluginError as error:
        warnings.warn(f"{error}. Derivative rules that it may bring are missing", stacklevel=2)


def _import_all(name: str) -> None:
    """Import a module, and every module of a package but its helpers (`_name.py`): importing registers."""
    try:
        package = import_module(name)
        for info in iter_modules(getattr(package, "__path__", ())):
            if not info.name.startswith("_"):
                import_module(f"{name}.{info.name}")
    except ImportError as error:
        raise PluginError(f"derivative rules {name!r} cannot be imported: {error}") from error
