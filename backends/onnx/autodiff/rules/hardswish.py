"""HardSwish: y = x h with h = max(0, min(1, x / 6 + 1 / 2)), so dx = (h + x / 6 where 0 < h < 1) dy.

Howard et al. 2019, https://arxiv.org/abs/1905.02244.
"""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._masks import between


@vjp("HardSwish", since=14)
def hardswish(g: Graph, node: Node, dy: str) -> Cotangents:
    """From the input."""
    (x,) = node.inputs
    h = g.op("HardSigmoid", x, alpha=1 / 6, beta=0.5)
    sixth = g.op("Mul", g.op("Mul", x, g.scalar(1 / 6, x)), between(g, h, 0.0, 1.0))
    return [g.op("Mul", dy, g.op("Add", h, sixth))]
