"""ReduceProd: each element gets dy times the product of the others, zeros among them or not."""

from ...ir.graph import FLOAT, Graph, Node
from ..registry import Cotangents, vjp
from ._reduction import axes_of, with_reduced_axes


@vjp("ReduceProd", since=18)
def reduce_prod(g: Graph, node: Node, dy: str) -> Cotangents:
    """With p the product of what is not zero: p / x without zeros, p at a lone zero, else 0."""
    x, axes = node.inputs[0], axes_of(g, node)
    if not axes:
        return [dy]
    one, zero, along = g.scalar(1, x), g.scalar(0, x), g.ints(axes)
    empty = g.op("Equal", x, zero)
    filled = g.op("Where", empty, one, x)
    product = g.op("ReduceProd", filled, along, keepdims=1)
    zeros = g.op("ReduceSum", g.op("Cast", empty, to=FLOAT), along, keepdims=1)
    of_zero = g.op("Where", g.op("Equal", zeros, g.const(1, "float32")), product, zero)
    of_other = g.op("Where", g.op("Equal", zeros, g.const(0, "float32")), g.op("Div", product, filled), zero)
    return [g.op("Mul", with_reduced_axes(g, node, dy), g.op("Where", empty, of_zero, of_other))]
