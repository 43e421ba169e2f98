"""Mod: y = a - b q with q whole, so da = dy and db = -q dy, with broadcasting."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Mod", since=10, broadcasts=True)
def mod(g: Graph, node: Node, dy: str) -> Cotangents:
    """q from the output, whichever way the operator rounds."""
    a, b = node.inputs
    if not node.needs_gradient[1]:
        return [dy, None]
    whole = g.op("Round", g.op("Div", g.op("Sub", a, node.outputs[0]), b))
    return [dy, g.op("Neg", g.op("Mul", dy, whole))]
