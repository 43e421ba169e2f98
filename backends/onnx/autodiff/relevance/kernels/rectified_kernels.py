"""A kernel with a rectifier behind it: both backward rules in one product.

With r the output of a ReLU or a clip from 0, and dr its cotangent, the rectifier passes dr r / y and the kernel's own
branch |y| / (|y| + stabiliser) of that: together dr r / (max(y, 0) + stabiliser). Of a ReLU max(y, 0) is r, so that
nobody needs y and the convolution stays fused with it. Where a rule has kernels of its own, R is dr r.
"""

from collections.abc import Collection
from dataclasses import replace

from crosslens.arrays import as_numpy
from crosslens.model import KernelRule

from ....ir.graph import Graph, Node
from ..graph_rules import GraphRules
from .accounts import Accounts
from .kernel_tables import KernelTable, stabiliser_of
from .linear_map import LINEAR

__all__ = ["rectified_cotangent", "rectifiers_behind"]


def rectifiers_behind(graph: Graph, rules: GraphRules, exact: Collection[str]) -> dict[str, Node]:
    """By a kernel's output, the rectifier that alone reads it, where the two have one backward rule.

    Args:
        graph: the forward pass.
        rules: of the sweep.
        exact: the tensors whose own cotangent somebody gives or asks for.
    """
    if rules.relu != "exact" or rules.slope == "secant":
        return {}
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.reads:
            readers.setdefault(name, []).append(node)
    found = {}
    for node in graph.nodes:
        y, rule = node.outputs[0], rules.kernels.get(node.outputs[0])
        alone = rule is not None and node.op in LINEAR and _is_joined(graph, y, rule) and y not in exact
        if alone and len(readers.get(y, ())) == 1 and _rectifies(graph, readers[y][0], rules):
            found[y] = readers[y][0]
    return found


def _is_joined(graph: Graph, y: str, rule: KernelRule) -> bool:
    """Whether a rule, with no normalisation behind the layer, has only kernels or is the layer's own, stabilised."""
    if rule.gain is not None or rule.shift is not None:
        return False
    return _has_kernels(rule) or (_is_own(rule) and stabiliser_of(graph, y, rule) > 0)


def _has_kernels(rule: KernelRule) -> bool:
    return all(branch.kernels for branch in rule.branches)


def _is_own(rule: KernelRule) -> bool:
    (branch, *others) = rule.branches
    return not (others or branch.kernels) and branch.side == "any"


def _rectifies(graph: Graph, node: Node, rules: GraphRules) -> bool:
    if node.domain or node.op not in {"Relu", "Clip"}:
        return False
    low, high = (graph.value(node.inputs[p]) if node.has(p) else None for p in (1, 2))
    clips = low is not None and not low.any() and (high is not None or not node.has(2))
    return node.op == "Relu" or (clips and rules.slope == "ratio")


def rectified_cotangent(table: KernelTable, rectifier: Node, accounts: Accounts | None) -> str:
    """The cotangent of x.

    Args:
        table: the layer's, with the cotangent dr of the rectifier's output.
        rectifier: the node behind the layer.
        accounts: as for `KernelTable.cotangent`.
    """
    g, rule, dr, kernel, (r,) = table.graph, table.rule, table.dy, table.linear, rectifier.outputs
    if _has_kernels(rule):
        return replace(table, rectified=r).cotangent(accounts)
    (branch,) = rule.branches
    above = r if rectifier.op == "Relu" else g.op("Relu", kernel.y)
    stabiliser = stabiliser_of(g, kernel.y, rule)
    factor = g.op("Div", r, g.op("Add", above, g.scalar(stabiliser, r)))
    if branch.weight != 1:
        factor = g.op("Mul", factor, g.scalar(branch.weight, factor))
    flow = g.op("Mul", dr, factor)
    if accounts is not None:
        bias = 0.0 if branch.bias is None else as_numpy(branch.bias)
        accounts.add(kernel, flow, bias, stabiliser)
        if branch.weight != 1:
            accounts.add(kernel, g.op("Mul", dr, r), kept=1 - branch.weight)
    dx = kernel.transposed(flow)
    return g.op("Mul", kernel.x, dx) if rule.local else dx
