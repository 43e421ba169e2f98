"""MeanVarianceNormalization: y = (x - mean) / (deviation + 1e-9), so dx = (dy - mean(dy) - h mean(h dy)) / deviation.

h is y, but 0 where x is constant (onnxruntime has 0 / 0 there); so is the gradient, for that place is a kink.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._moments import input_cotangent


@vjp("MeanVarianceNormalization", since=9)
def mean_variance_normalization(g: Graph, node: Node, dy: str) -> Cotangents:
    """The deviation is computed from centred values, which rounding does not turn negative."""
    x = node.inputs[0]
    axes = g.ints(node.attr("axes", (0, 2, 3)))
    centred = g.op("Sub", x, g.op("ReduceMean", x, axes, keepdims=1))
    deviation = g.op("Sqrt", g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1))
    flat = g.op("Equal", deviation, g.scalar(0, x))
    inverse = g.op("Where", flat, g.scalar(0, x), g.op("Reciprocal", deviation))
    return [input_cotangent(g, dy, g.op("Mul", centred, inverse), inverse, axes)]
