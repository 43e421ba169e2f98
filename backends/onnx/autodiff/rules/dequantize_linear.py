"""DequantizeLinear: x = (q - zero) scale, so dq = scale dx; integers count as numbers here, scales as constants."""

from ...ir.graph import Graph, Node
from ..quantised import broadcast_parameter
from ..registry import Cotangents, vjp


@vjp("DequantizeLinear", since=10, approximate="straight through")
def dequantize_linear(g: Graph, node: Node, dy: str) -> Cotangents:
    """One scale, one per axis, or one per block."""
    scale = broadcast_parameter(g, node, node.inputs[0], node.inputs[1])
    scale = scale if g.elem(scale) == g.elem(dy) else g.op("Cast", scale, to=g.elem(dy))
    return [g.op("Mul", dy, scale), None, None][: len(node.inputs)]
