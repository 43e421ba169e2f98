"""GlobalMaxPool: dy goes to the first maximum of each channel."""

from math import prod

import numpy as np

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("GlobalMaxPool")
def global_max_pool(g: Graph, node: Node, dy: str) -> Cotangents:
    """A mask from the place of the maximum, counted through all positions."""
    (x,) = node.inputs
    count = prod(g.sizes(x))
    flat = g.op("Reshape", x, g.ints([0, 0, -1]))
    place = g.op("ArgMax", flat, axis=2, keepdims=1)
    mask = g.op("Equal", g.derived_constant(f"range:{count}", lambda: np.arange(count)), place)
    dx = g.op("Mul", g.op("Reshape", dy, g.ints([0, 0, 1])), g.op("Cast", mask, to=g.elem(x)))
    return [g.reshape_like(dx, x)]
