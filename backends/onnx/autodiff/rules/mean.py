"""Mean of n tensors with broadcasting: each gets dy / n."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("Mean", since=8, broadcasts=True)
def mean(g: Graph, node: Node, dy: str) -> Cotangents:
    """The same share for all."""
    share = g.op("Mul", dy, g.scalar(1 / len(node.inputs), dy))
    return [share] * len(node.inputs)
