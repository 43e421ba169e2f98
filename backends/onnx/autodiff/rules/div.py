"""Div: y = a / b with broadcasting, so da = dy / b, db = -y dy / b."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Div", since=7, broadcasts=True)
def div(g: Graph, node: Node, dy: str) -> Cotangents:
    """The quotient by b serves both."""
    over = g.op("Div", dy, node.inputs[1])
    return [over, g.op("Neg", g.op("Mul", over, node.outputs[0])) if node.needs_gradient[1] else None]
