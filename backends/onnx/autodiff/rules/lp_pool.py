"""LpPool and GlobalLpPool: y = (sum |x|^p)^(1/p) over a window, so dx = x |x|^(p-2) times what dy y^(1-p) spreads.

0 where y = 0, as ReduceL2 has it.
"""

from ...ir.graph import Graph, Node
from ...ir.sliding_window import window_geometry
from ..registry import Cotangents, vjp
from .average_pool import spread


@vjp("LpPool", since=2)
def lp_pool(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, *in), dy (N, C, *out)."""
    x = node.inputs[0]
    windows = window_geometry(g, node, tuple(node.attr("kernel_shape")))
    share = spread(g, _by_length(g, node, dy), windows, g.sizes(x, [1])[0], x)
    return [g.op("Mul", _slope(g, node), share)]


@vjp("GlobalLpPool", since=2)
def global_lp_pool(g: Graph, node: Node, dy: str) -> Cotangents:
    """One window: the product broadcasts."""
    return [g.op("Mul", _slope(g, node), _by_length(g, node, dy))]


def _by_length(g: Graph, node: Node, dy: str) -> str:
    """dy y^(1-p), 0 where y is."""
    (y,), p = node.outputs, node.attr("p")
    if p == 1:
        return dy
    zero = g.scalar(0, y)
    power = y if p == 2 else g.op("Pow", y, g.scalar(p - 1, y))
    return g.op("Where", g.op("Equal", power, zero), zero, g.op("Div", dy, power))


def _slope(g: Graph, node: Node) -> str:
    """sign(x) |x|^(p-1)."""
    x, p = node.inputs[0], node.attr("p")
    if p == 2:
        return x
    sign = g.op("Sign", x)
    return sign if p == 1 else g.op("Mul", sign, g.op("Pow", g.op("Abs", x), g.scalar(p - 1, x)))
