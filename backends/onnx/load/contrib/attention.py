"""Attention: onnxruntime's, of one tensor with itself, its projections packed into one matrix, and the standard's.

The standard has softmax(scale Q K' + mask) V in each head from opset 23 on. Written out its weights are a layer.
"""

from ...ir.graph import Graph, Node
from ..fused_operators import UnknownTypeError, expands
from ._attention import attention_of_heads, has_unsupported_options, scaled_dot_product_attention, split_heads

_PLAIN = frozenset({"scale", "q_num_heads", "kv_num_heads", "is_causal", "softcap", "qk_matmul_output_mode"})


@expands("Attention")
def attention(g: Graph, node: Node) -> list[str] | None:
    """Caches and rotary positions, which no vision network has, are left alone, and masks of onnxruntime's kind."""
    if not node.domain:
        return _standard(g, node)
    x, weights = node.inputs[:2]
    kernel = g.value(weights)
    if kernel is None or has_unsupported_options(node, allowed={0, 1, 2, 5}):
        return None
    third = kernel.shape[1] // 3
    sizes = node.attr("qkv_hidden_sizes") or (third, third, third)
    packed = g.op("MatMul", x, weights)
    if node.has(2):
        packed = g.op("Add", packed, node.inputs[2])
    q, k, v = g.ops("Split", 3, packed, g.ints(sizes), axis=-1)
    return [attention_of_heads(g, node, (q, k, v), sizes[0], 5)]


def _standard(g: Graph, node: Node) -> list[str] | None:
    """Query, key, value (N, T, heads size) or (N, heads, T, size), with as many heads; rarer forms are left alone."""
    tensors = (node.inputs[0], node.inputs[1], node.inputs[2])
    if any(name not in g.types or g.types[name].dims is None for name in tensors):
        raise UnknownTypeError(f"the ranks of {tensors} are not known")
    apart = g.rank(tensors[0]) == 4
    counts = [g.dims(name)[1] for name in tensors] if apart else [node.attr("q_num_heads"), node.attr("kv_num_heads")]
    rare = any(node.outputs[1:]) or any(node.has(place) for place in range(4, len(node.inputs)))
    if rare or node.attr("is_causal") or node.attr("softcap") or not _PLAIN.issuperset(node.attributes):
        return None
    if len(set(counts)) > 1 or not isinstance(counts[0], int) or not _fits(g, node, apart):
        return None
    size = g.dims(tensors[0])[-1]
    if not isinstance(size, int):
        return None
    q, k, v = tensors if apart else split_heads(g, tensors, counts[0])
    turned = g.op("Transpose", k, perm=[0, 1, 3, 2])
    return [
        scaled_dot_product_attention(g, node, (q, turned, v), size if apart else size // counts[0], 3, joined=not apart)
    ]


def _fits(g: Graph, node: Node, apart: bool) -> bool:
    """Whether the mask, if there is one, covers all keys: opset 24 allows shorter ones."""
    if not node.has(3):
        return True
    mask, keys = node.inputs[3], g.dims(node.inputs[1])[2 if apart else 1]
    known = g.types.get(mask)
    return known is not None and known.dims is not None and isinstance(keys, int) and known.dims[-1] == keys
