"""QuickGelu: x sigmoid(alpha x)."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands, first_typed


@expands("QuickGelu")
def quick_gelu(g: Graph, node: Node) -> list[str]:
    """With alpha = 1 it is SiLU."""
    (x,) = node.inputs
    alpha = node.attr("alpha", 1.702)
    inner = x if alpha == 1 else g.op("Mul", x, g.scalar(alpha, first_typed(g, x)))
    return [g.op("Mul", x, g.op("Sigmoid", inner))]
