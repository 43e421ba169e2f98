"""CumProd: y_i is the product of x up to i, so dx_j adds up dy_i y_i / x_j from i = j on, zeros among them or not.

With p_i the product of those factors of y_i that are not 0: one that is not 0 gets p_i / x_j where no factor is 0, a
zero gets p_i where it is the only one.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("CumProd", since=26)
def cumprod(g: Graph, node: Node, dy: str) -> Cotangents:
    """Exclusive stays exclusive."""
    x, axis = node.inputs
    ahead = {"exclusive": node.attr("exclusive", 0), "reverse": node.attr("reverse", 0)}
    back = {**ahead, "reverse": 1 - ahead["reverse"]}
    zero = g.scalar(0, x)
    empty = g.op("Equal", x, zero)
    filled = g.op("Where", empty, g.scalar(1, x), x)
    zeros = g.op("CumSum", g.op("Cast", empty, to=g.elem(x)), axis, **ahead)
    shares = g.op("Mul", dy, g.op("CumProd", filled, axis, **ahead))

    def added(count: int) -> str:
        counted = g.op("Where", g.op("Equal", zeros, g.scalar(count, x)), shares, zero)
        return g.op("CumSum", counted, axis, **back)

    return [g.op("Where", empty, added(1), g.op("Div", added(0), filled)), None]
