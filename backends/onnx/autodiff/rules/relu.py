"""Relu: y = max(x, 0), so dx = dy where y > 0, else 0 (0 at the kink, as PyTorch and TensorFlow do)."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._masks import between


@vjp("Relu", since=6)
def relu(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask comes from the output: the forward Conv and Relu stay fused."""
    if g.masked.get(dy) == node.outputs[0]:
        return [dy]
    return [g.op("Mul", dy, between(g, node.outputs[0], 0.0, None))]
