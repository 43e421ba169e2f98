"""Norms over axes: ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum, ReduceLogSumExp."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._reduction import axes_of, expand_to_input, with_reduced_axes


@vjp("ReduceL1", since=18)
def reduce_l1(g: Graph, node: Node, dy: str) -> Cotangents:
    """y = sum |x|; 0 at the kink, as PyTorch has it."""
    if not axes_of(g, node):
        return [dy]
    return [g.op("Mul", g.op("Sign", node.inputs[0]), with_reduced_axes(g, node, dy))]


@vjp("ReduceL2", since=18)
def reduce_l2(g: Graph, node: Node, dy: str) -> Cotangents:
    """y = sqrt(sum x^2); 0 where y = 0, as PyTorch has it."""
    x, (y,) = node.inputs[0], node.outputs
    if not axes_of(g, node):
        return [dy]
    origin = g.op("Equal", y, g.scalar(0, y))
    length = g.op("Where", origin, g.scalar(1, y), y)
    return [g.op("Mul", x, with_reduced_axes(g, node, g.op("Div", dy, length)))]


@vjp("ReduceSumSquare", since=18)
def reduce_sum_square(g: Graph, node: Node, dy: str) -> Cotangents:
    """y = sum x^2."""
    x = node.inputs[0]
    if not axes_of(g, node):
        return [dy]
    return [g.op("Mul", g.op("Add", x, x), with_reduced_axes(g, node, dy))]


@vjp("ReduceLogSum", since=18)
def reduce_log_sum(g: Graph, node: Node, dy: str) -> Cotangents:
    """y = ln(sum x), so 1 / sum x = e^-y."""
    if not axes_of(g, node):
        return [dy]
    return [expand_to_input(g, node, g.op("Mul", dy, g.op("Exp", g.op("Neg", node.outputs[0]))))]


@vjp("ReduceLogSumExp", since=18)
def reduce_log_sum_exp(g: Graph, node: Node, dy: str) -> Cotangents:
    """y = ln(sum e^x): the softmax of x."""
    if not axes_of(g, node):
        return [dy]
    share = g.op("Exp", g.op("Sub", node.inputs[0], with_reduced_axes(g, node, node.outputs[0])))
    return [g.op("Mul", share, with_reduced_axes(g, node, dy))]
