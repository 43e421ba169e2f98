"""Relu: y = max(x, 0), so dx = dy where y > 0, else 0 (0 at the kink, as PyTorch and TensorFlow do)."""

from ..graph import BOOL, Graph, Node
from ..registry import Cotangents, vjp


@vjp("Relu", since=6)
def relu(g: Graph, node: Node, dy: str) -> Cotangents:
    """The mask comes from the output: the forward Conv and Relu stay fused."""
    (y,) = node.outputs
    return [g.op("Mul", dy, g.op("Cast", g.op("Cast", y, to=BOOL), to=g.elem(y)))]
