"""The registry of derivative rules: one operator per file, in the package `rules` and in modules that plugins name.

A rule takes the graph to append to, the node, and one cotangent per output (None for no gradient); it returns one
cotangent per input, None for no gradient. A cotangent has the shape of its input; the rule of a broadcasting operator
may leave it in the shape of the output (`broadcasts=True`): the reverse sweep sums it back.
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
    """How one operator is differentiated, from opset `since` on; a derivative of None means that gradients stop."""

    since: int
    derivative: Derivative | None
    broadcasts: bool = False
    approximate: str = ""
    """How it approximates the derivative ("straight through"), empty if it is exact; gradients then pass integers."""
    activation: bool = False
    """Whether it is an activation function, elementwise in its first input, beside those of the standard."""


_RULES: dict[tuple[str, str], list[Rule]] = {}


def vjp(
    *operators: str,
    since: int = 1,
    domain: str = "",
    broadcasts: bool = False,
    approximate: str = "",
    activation: bool = False,
) -> Callable[[Derivative], Derivative]:
    """Register a function `(g, node, *dys) -> Cotangents` as the derivative rule of these operators.

    Args:
        operators: names, as ONNX has them.
        since: the first opset that the rule is for.
        domain: of the operators; "" is the standard's.
        broadcasts: whether cotangents may have the shape of the output: they are summed back to the inputs' shapes.
        approximate: how the rule approximates the derivative, if it does.
        activation: whether the operators are activation functions, elementwise in their first input, so that relevance
            takes f(x) / x or a secant for their slope; the standard's own are known.
    """

    def register(derivative: Derivative) -> Derivative:
        for operator in operators:
            _RULES.setdefault((domain, operator), []).append(
                Rule(since, derivative, broadcasts, approximate, activation)
            )
        return derivative

    return register


def stops(*operators: str, since: int = 1, domain: str = "") -> None:
    """Register operators that gradients do not pass: their output is piecewise constant, an index or a count."""
    for operator in operators:
        _RULES.setdefault((domain, operator), []).append(Rule(since, None))


def rule_for(node: Node) -> Rule | None:
    """The newest rule for the opset of this node; None if there is none."""
    _discover()
    rules = [r for r in _RULES.get((node.domain, node.op), []) if r.since <= node.version]
    return max(rules, key=lambda r: r.since, default=None)


@cache
def _discover() -> None:
    _import_all(f"{__package__}.rules")
    for plugin in plugins(BACKENDS):
        if plugin.distribution != "crosslens":
            _discover_outside(plugin)


def _discover_outside(plugin: Plugin) -> None:
    """Import a plugin's rules; one that fails is a warning, and other rules are not affected."""
    try:
        for name in chain.from_iterable(load(plugin).hook.crosslens_vjp_rules()):
            _import_all(name)
    except PluginError as error:
        warnings.warn(f"{error}. Derivative rules of this plugin are missing", stacklevel=2)


def _import_all(name: str) -> None:
    """Import a module, or every module of a package but its helpers (`_name.py`): importing registers the rules."""
    try:
        package = import_module(name)
        for info in iter_modules(getattr(package, "__path__", ())):
            if not info.name.startswith("_"):
                import_module(f"{name}.{info.name}")
    except ImportError as error:
        raise PluginError(f"derivative rules {name!r} cannot be imported: {error}") from error
