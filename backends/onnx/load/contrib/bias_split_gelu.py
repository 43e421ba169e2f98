"""BiasSplitGelu: a gelu(b) with [a, b] = x + bias, two halves along the last axis; BiasAdd: x + bias + skip."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands, first_typed
from .gelu import normal_gelu


@expands("BiasSplitGelu")
def bias_split_gelu(g: Graph, node: Node) -> list[str]:
    """Shazeer 2020, https://arxiv.org/abs/2002.05202."""
    first_typed(g, *node.inputs)
    left, right = g.ops("Split", 2, g.op("Add", *node.inputs), num_outputs=2, axis=-1)
    return [g.op("Mul", left, normal_gelu(g, right))]


@expands("BiasAdd")
def bias_add(g: Graph, node: Node) -> list[str]:
    """All of the same rank but the bias, (C,)."""
    x, bias, skip = node.inputs
    return [g.op("Add", g.op("Add", x, bias), skip)]
