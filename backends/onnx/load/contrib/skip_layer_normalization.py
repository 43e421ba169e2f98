"""SkipLayerNormalization: LayerNormalization of s = x + skip + bias over the last axis; s is the fourth output."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands


@expands("SkipLayerNormalization")
def skip_layer_normalization(g: Graph, node: Node) -> list[str]:
    """The sum has the largest shape: skip may lack the batch axis, the bias has one axis."""
    x, skip, *scale = node.inputs[:4]
    total = g.op("Add", x, skip)
    if node.has(4):
        total = g.op("Add", total, node.inputs[4])
    y, mean, inverse = g.ops("LayerNormalization", 3, total, *scale, axis=-1, epsilon=node.attr("epsilon", 1e-12))
    return [y, mean, inverse, total]
