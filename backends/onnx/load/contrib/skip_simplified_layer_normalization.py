"""SkipSimplifiedLayerNormalization: SimplifiedLayerNormalization of s = x + skip + bias; s is the fourth output."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands
from .simplified_layer_normalization import root_mean_square


@expands("SkipSimplifiedLayerNormalization")
def skip_simplified_layer_normalization(g: Graph, node: Node) -> list[str | None]:
    """Over the last axis."""
    x, skip, scale = node.inputs[:3]
    total = g.op("Add", x, skip)
    if node.has(3):
        total = g.op("Add", total, node.inputs[3])
    y, inverse = root_mean_square(g, total, scale, [-1], node.attr("epsilon", 1e-5))
    return [y, None, inverse, total]
