"""Log: y = ln x, so dx = dy / x."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Log")
def log(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the input."""
    return [g.op("Div", dy, node.inputs[0])]
