"""What the reverse sweep does at a node whose backward rule is not its derivative."""

from collections import ChainMap
from collections.abc import MutableMapping, Sequence
from typing import Any

from ...ir.graph import Graph, Node
from ..rectifiers import is_rectifier, rectifier_cotangents
from ..registry import Cotangents, Rule
from .graph_rules import GraphRules
from .kernel_tables import KernelTable
from .linear_map import LINEAR

__all__ = ["ModifiedSweep"]


class ModifiedSweep:
    """The rules of a modified network during one reverse sweep over its graph."""

    def __init__(self, graph: Graph, rules: GraphRules, *, absorbed: bool) -> None:
        """Start a sweep.

        Args:
            graph: the forward pass; gradients are appended to it.
            rules: other than exact.
            absorbed: whether `ABSORBED` is asked for.
        """
        self._graph, self._rules = graph, rules
        self._absorbed: list[str] | None = [] if absorbed else None
        graph.store = _Store(rules.label, rules.store, graph.store)  # type: ignore[assignment]

    def cotangents(self, node: Node, rule: Rule, dys: Sequence[str | None]) -> Cotangents:
        """One cotangent for each input of a node, as its derivative rule gives them, by the modified rules."""
        graph, rules = self._graph, self._rules
        assert rule.derivative is not None
        if node.outputs[0] in rules.kernels and node.op in LINEAR and dys[0] is not None:
            table = KernelTable(graph, node, rules.kernels[node.outputs[0]], dys[0], rules.label)
            return [table.cotangent(self._absorbed), *[None] * (len(node.inputs) - 1)]
        if rules.relu != "exact" and is_rectifier(graph, node):
            return rectifier_cotangents(graph, node, rule, dys, rules.relu)
        return rule.derivative(graph, node, *dys)

    def absorbed(self, image: str) -> str:
        """(N, 2): what biases and the stabiliser of all kernel rules took.

        Args:
            image: a tensor with the batch first.
        """
        g = self._graph
        if self._absorbed:
            return g.op("Sum", *self._absorbed) if len(self._absorbed) > 1 else self._absorbed[0]
        count = g.op("Shape", image, start=0, end=1)
        return g.op("ConstantOfShape", g.op("Concat", count, g.ints([2]), axis=0))


class _Store(ChainMap[str, Any]):
    """The network's computed constants, and those of the rules, whose names hold a label, apart."""

    def __init__(self, label: str, rules: dict[str, Any], network: MutableMapping[str, Any]) -> None:
        super().__init__(rules, network)
        self._label = label

    def __setitem__(self, name: str, value: Any) -> None:
        self.maps[0 if self._label in name else 1][name] = value
