"""LayerNormalization where the standard has none (before opset 17): the same operator."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands


@expands("LayerNormalization")
def layer_normalization(g: Graph, node: Node) -> tuple[str, ...]:
    """Mean and inverse deviation are its further outputs in both."""
    return g.ops(
        "LayerNormalization", len(node.outputs), *node.inputs, axis=node.attr("axis", -1),
        epsilon=node.attr("epsilon", 1e-5),
    )  # fmt: skip
