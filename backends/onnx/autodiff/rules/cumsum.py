"""CumSum: y_i is the sum of x up to i, so dx_i is the sum of dy from i on: CumSum the other way round."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("CumSum", since=11)
def cumsum(g: Graph, node: Node, dy: str) -> Cotangents:
    """Exclusive stays exclusive."""
    how = {"exclusive": node.attr("exclusive", 0), "reverse": 1 - node.attr("reverse", 0)}
    return [g.op("CumSum", dy, node.inputs[1], **how), None]
