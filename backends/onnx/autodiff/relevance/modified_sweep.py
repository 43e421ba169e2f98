"""What the reverse sweep does at a node whose backward rule is not its derivative."""

from collections import ChainMap
from collections.abc import Collection, MutableMapping, Sequence
from functools import partial
from typing import Any

from crosslens.model import KernelRule

from ...ir.graph import Graph, Node
from ..rectifiers import is_rectifier, never_negative, rectifier_cotangents
from ..registry import Cotangents, Rule
from .graph_rules import GraphRules
from .halves import Halves
from .kernels.accounts import Accounts
from .kernels.kernel_tables import KernelTable
from .kernels.linear_map import LINEAR
from .kernels.rectified_kernels import rectified_cotangent, rectifiers_behind
from .normalisations import is_root, stopped_cotangents
from .products import factors, halved_cotangents
from .ratio import ratio_cotangent
from .secant import secant_cotangents
from .varying import Varying
from .written_out import written_out_functions

__all__ = ["ModifiedSweep"]


class ModifiedSweep:
    """The rules of a modified network during one reverse sweep over its graph."""

    def __init__(
        self, graph: Graph, rules: GraphRules, reached: Collection[str], exact: Collection[str], *, absorbed: bool
    ) -> None:
        """Start a sweep.

        Args:
            graph: the forward pass; gradients are appended to it.
            rules: other than exact.
            reached: the tensors that gradients flow to.
            exact: the tensors whose own cotangent is given or asked for.
            absorbed: whether `ABSORBED` is asked for.
        """
        self._graph, self._rules, self._reached = graph, rules, reached
        self._accounts = Accounts(graph, rules.label) if absorbed else None
        self._varying, self._halves = Varying.of(graph), Halves(graph)
        stops = rules.norms == "stop" and rules.products == "half"
        self._not_stopped = Varying.of(graph, partial(is_root, graph)) if stops else self._varying
        whole = rules.slope == "ratio" or rules.products == "half"
        self._functions = written_out_functions(graph, self._varying) if whole else {}
        self._in_functions = frozenset(name for function in self._functions.values() for name in function.nodes)
        self._above = never_negative(graph) if rules.kernels else frozenset()
        self._behind = rectifiers_behind(graph, rules, exact)
        self._joint = frozenset(node.outputs[0] for node in self._behind.values())
        graph.store = _Store(rules.label, rules.store, graph.store)  # type: ignore[assignment]

    def jump(self, node: Node, dys: Sequence[str | None]) -> tuple[str, str] | None:
        """At the end of a written-out activation function: its x, and the cotangent of x by the function as a whole."""
        function = self._functions.get(node.outputs[0]) if self._rules.slope == "ratio" else None
        if function is None or function.x not in self._reached or dys[0] is None:
            return None
        return function.x, self._graph.op("Mul", dys[0], function.ratio(self._graph))

    def cotangents(self, node: Node, rule: Rule, dys: Sequence[str | None]) -> Cotangents:
        """One cotangent for each input of a node, as its derivative rule gives them, by the modified rules."""
        graph, rules = self._graph, self._rules
        assert rule.derivative is not None
        y, dy = node.outputs[0], dys[0]
        if y in rules.kernels and node.op in LINEAR and dy is not None:
            return [self._of_kernel(node, rules.kernels[y], dy), *[None] * (len(node.inputs) - 1)]
        if y in self._joint:
            return [dy, *[None] * (len(node.inputs) - 1)]  # the kernel before takes care
        if rules.relu != "exact" and is_rectifier(graph, node):
            return rectifier_cotangents(graph, node, rule, dys, rules.relu)
        changed = self._changed(node, rule, dys)
        return rule.derivative(graph, node, *dys) if changed is None else changed

    def _of_kernel(self, node: Node, rule: KernelRule, dy: str) -> str:
        """The cotangent of x; where a rectifier has left its own rule to the kernel, dy is that of its output."""
        graph, behind = self._graph, self._behind.get(node.outputs[0])
        table = KernelTable(graph, node, rule, dy, self._rules.label, self._above)
        if behind is not None:
            return rectified_cotangent(table, behind, self._accounts)
        return table.cotangent(self._accounts)

    def _changed(self, node: Node, rule: Rule, dys: Sequence[str | None]) -> Cotangents | None:
        """The cotangents by the rules for slopes, normalisations and products; None where they change nothing."""
        graph, rules, position = self._graph, self._rules, self._varying.only(node)
        if rules.norms == "stop":
            stopped = stopped_cotangents(graph, node, rule, dys)
            if stopped is not None:
                return stopped
        if rules.slope == "secant":
            return secant_cotangents(self._halves, self._varying, node, rule, dys)
        dy = dys[0]
        if dy is None:
            return None
        if rules.slope == "ratio" and position is not None:
            dx = ratio_cotangent(graph, node, rule, dy, position)
            if dx is not None:
                return [dx if p == position else None for p in range(len(node.inputs))]
        if rules.products == "half" and node.outputs[0] not in self._in_functions:
            count = len(factors(self._not_stopped, node))
            return halved_cotangents(graph, node, rule, dy, count) if count else None
        return None

    def absorbed(self, image: str) -> str:
        """(N, 2): what biases and the stabiliser of all kernel rules took.

        Args:
            image: a tensor with the batch first.
        """
        return (self._accounts or Accounts(self._graph, self._rules.label)).total(image)


class _Store(ChainMap[str, Any]):
    """The network's computed constants, and those of the rules, whose names hold a label, apart."""

    def __init__(self, label: str, rules: dict[str, Any], network: MutableMapping[str, Any]) -> None:
        super().__init__(rules, network)
        self._label = label

    def __setitem__(self, name: str, value: Any) -> None:
        self.maps[0 if self._label in name else 1][name] = value
