"""FusedGemm: f(alpha A' B' + beta C), f any activation of one input, its attributes written activation_alpha etc."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands
from ._activation import append_activation

_PREFIX = "activation_"


@expands("FusedGemm")
def fused_gemm(g: Graph, node: Node) -> list[str]:
    """Gemm, and the activation."""
    given = {k.removeprefix(_PREFIX): node.attr(k) for k in node.attributes if k.startswith(_PREFIX)}
    y = g.op("Gemm", *node.inputs, **{k: node.attr(k) for k in node.attributes if not k.startswith("activation")})
    return [append_activation(g, y, node.attr("activation"), given, node.inputs[:2])]
