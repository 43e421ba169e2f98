"""ReduceMax and ReduceMin: dy goes to the elements that equal the output, in equal shares at ties (as torch.amax)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._reduction import axes_of, with_reduced_axes


@vjp("ReduceMax", "ReduceMin", since=18)
def reduce_extreme(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask of the extremes times the share of each."""
    x, axes = node.inputs[0], axes_of(g, node)
    if not axes:
        return [dy]
    mask = g.op("Cast", g.op("Equal", x, with_reduced_axes(g, node, node.outputs[0])), to=g.elem(x))
    count = g.op("ReduceSum", mask, g.ints(axes), keepdims=1)
    return [g.op("Mul", mask, g.op("Div", with_reduced_axes(g, node, dy), count))]
