"""Attention: multi-head attention of one tensor with itself, its three projections packed into one matrix."""

from ..attention import attended, unusual
from ..graph import Graph, Node
from ..rewrite import writes


@writes("Attention")
def attention(g: Graph, node: Node) -> list[str] | None:
    """Masks, caches and rotary positions, which no vision network has, are left alone."""
    x, weights = node.inputs[:2]
    kernel = g.value(weights)
    if kernel is None or unusual(node, allowed={0, 1, 2, 5}):
        return None
    third = kernel.shape[1] // 3
    sizes = node.attr("qkv_hidden_sizes") or (third, third, third)
    packed = g.op("MatMul", x, weights)
    if node.has(2):
        packed = g.op("Add", packed, node.inputs[2])
    q, k, v = g.ops("Split", 3, packed, g.ints(sizes), axis=-1)
    return [attended(g, node, (q, k, v), sizes[0], 5)]
