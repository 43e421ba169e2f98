"""MultiHeadAttention: softmax(scale Q K^T + bias) V in each head, of projected tensors apart or packed."""

from ...ir.graph import Graph, Node
from ..fused_operators import UnknownTypeError, expands
from ._attention import attention_of_heads, has_unsupported_options, scaled_dot_product_attention


@expands("MultiHeadAttention")
def multi_head_attention(g: Graph, node: Node) -> list[str] | None:
    """Query, key, value (N, T, D); or all in (N, T, heads, 3, size); masks and caches are left alone."""
    if has_unsupported_options(node, allowed={0, 1, 2, 3, 5}):
        return None
    query, key, value = (*node.inputs, "", "")[:3]
    for name in filter(None, (query, key, value)):
        if name not in g.types or g.types[name].dims is None:
            raise UnknownTypeError(f"the rank of {name!r} is not known")
    ranks = [g.rank(name) for name in (query, key, value) if name]
    if ranks == [5] and not node.has(3):
        return [_from_packed(g, node, query)]
    if ranks != [3, 3, 3]:
        return None
    sizes = [g.dims(name)[2] for name in (query, key, value)]
    if not all(isinstance(size, int) for size in sizes):
        return None
    tensors = [query, key, value]
    if node.has(3):
        biases = g.ops("Split", 3, node.inputs[3], g.ints(map(int, sizes)), axis=0)
        tensors = [g.op("Add", *pair) for pair in zip(tensors, biases, strict=True)]
    return [attention_of_heads(g, node, (tensors[0], tensors[1], tensors[2]), int(sizes[0]), 5)]


def _from_packed(g: Graph, node: Node, packed: str) -> str:
    """(N, T, heads, 3, size) to three of (N, heads, T, size)."""
    size = g.sizes(packed, [4])[0]
    parts = g.ops("Split", 3, packed, num_outputs=3, axis=3)
    q, k, v = (g.op("Transpose", g.op("Squeeze", part, g.ints([3])), perm=[0, 2, 1, 3]) for part in parts)
    return scaled_dot_product_attention(g, node, (q, g.op("Transpose", k, perm=[0, 1, 3, 2]), v), size, 5)
