"""ReduceMean: y is the mean over axes, so dx = dy / count along them."""

from math import prod

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._reduction import axes_of, expand_to_input


@vjp("ReduceMean", since=18)
def reduce_mean(g: Graph, node: Node, dy: str) -> Cotangents:
    """The same share for every element; how many there are is counted where the image decides it."""
    x = node.inputs[0]
    sizes = [g.dims(x)[axis] for axis in axes_of(g, node)]
    if all(isinstance(size, int) for size in sizes):
        share = g.op("Mul", dy, g.scalar(1 / prod(map(int, sizes)), x))
    else:
        count = g.op("Div", g.op("Size", x), g.op("Size", dy))
        share = g.op("Div", dy, g.op("Cast", count, to=g.elem(x)))
    return [expand_to_input(g, node, share)]
