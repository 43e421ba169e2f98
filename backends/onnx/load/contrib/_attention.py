"""Multi-head attention in standard operators (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2)."""

from collections.abc import Set
from math import inf, sqrt

from ...ir.graph import BOOL, Graph, Node
from ..fused_operators import first_typed

__all__ = ["attention_of_heads", "has_unsupported_options", "scaled_dot_product_attention", "split_heads"]

Triple = tuple[str, str, str]


def has_unsupported_options(node: Node, allowed: Set[int]) -> bool:
    """Whether the node has other inputs than the allowed ones, two outputs, a causal mask or rotary embedding."""
    others = any(node.has(position) for position in range(len(node.inputs)) if position not in allowed)
    return bool(others or any(node.outputs[1:]) or node.attr("unidirectional", 0) or node.attr("do_rotary", 0))


def attention_of_heads(g: Graph, node: Node, tensors: Triple, hidden: int, bias: int) -> str:
    """Multi-head attention of query, key and value (N, T, D): (N, T, D).

    Args:
        g: the graph to append to.
        node: the attention node, for its attributes.
        tensors: query, key and value.
        hidden: D of query and key.
        bias: the position of the node's input that is added to the scores before the softmax.
    """
    heads = node.attr("num_heads")
    q, k, v = split_heads(g, tensors, heads)
    return scaled_dot_product_attention(g, node, (q, g.op("Transpose", k, perm=[0, 1, 3, 2]), v), hidden // heads, bias)


def split_heads(g: Graph, tensors: Triple, heads: int) -> Triple:
    """(N, T, heads size) to (N, heads, T, size) of each."""
    shape = g.ints([0, 0, heads, -1])
    q, k, v = (g.op("Transpose", g.op("Reshape", name, shape), perm=[0, 2, 1, 3]) for name in tensors)
    return q, k, v


def scaled_dot_product_attention(
    g: Graph, node: Node, tensors: Triple, size: int, bias: int, *, joined: bool = True
) -> str:
    """softmax(scale Q K + bias) V of tensors with heads: query and value (N, heads, T, size), key (N, heads, size, T).

    Args:
        g: the graph to append to.
        node: the attention node, for its attributes.
        tensors: query, key and value.
        size: of a head; the scale is 1 / sqrt(size) unless the node says another.
        bias: the position of the node's input that is added to the scores; one of booleans says which keys count, and
            where none does the weights are 0.
        joined: whether the heads are joined to (N, T, D), or stay (N, heads, T, size).
    """
    q, k, v = tensors
    typed = first_typed(g, *(i for i in node.inputs if i))
    scale = node.attr("scale") or 1 / sqrt(size)
    scores = g.op("Mul", g.op("MatMul", q, k), g.scalar(scale, typed))
    chosen = node.inputs[bias] if node.has(bias) and g.elem(node.inputs[bias]) == BOOL else None
    if chosen is not None:
        scores = g.op("Where", chosen, scores, g.scalar(-inf, typed))
    elif node.has(bias):
        scores = g.op("Add", scores, node.inputs[bias])
    weights = g.op("Softmax", scores, axis=-1)
    if chosen is not None:
        weights = g.op("Where", chosen, weights, g.scalar(0.0, typed))
    mixed = g.op("MatMul", weights, v)
    return g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints([0, 0, -1])) if joined else mixed
