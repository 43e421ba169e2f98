"""Multi-head attention in standard operators. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2."""

from collections.abc import Set
from math import inf, sqrt

from ...ir.graph import BOOL, Graph, Node
from ..fused_operators import like

__all__ = ["attended", "heads_apart", "unusual", "weighted"]

Triple = tuple[str, str, str]


def unusual(node: Node, allowed: Set[int]) -> bool:
    """Whether the node has an input that is not among the allowed ones, a further output, or looks back only."""
    others = any(node.has(position) for position in range(len(node.inputs)) if position not in allowed)
    return bool(others or any(node.outputs[1:]) or node.attr("unidirectional", 0) or node.attr("do_rotary", 0))


def attended(g: Graph, node: Node, tensors: Triple, hidden: int, bias: int) -> str:
    """Query, key and value (N, T, D) through the node's heads: (N, T, D).

    Args:
        hidden: D of query and key.
        bias: the position of the input that is added to the weights before the softmax.
    """
    heads = node.attr("num_heads")
    q, k, v = heads_apart(g, tensors, heads)
    return weighted(g, node, (q, g.op("Transpose", k, perm=[0, 1, 3, 2]), v), hidden // heads, bias)


def heads_apart(g: Graph, tensors: Triple, heads: int) -> Triple:
    """(N, T, heads size) to (N, heads, T, size) of each."""
    shape = g.ints([0, 0, heads, -1])
    q, k, v = (g.op("Transpose", g.op("Reshape", name, shape), perm=[0, 2, 1, 3]) for name in tensors)
    return q, k, v


def weighted(g: Graph, node: Node, tensors: Triple, size: int, bias: int, *, joined: bool = True) -> str:
    """The same from (N, heads, T, size), the key's last axes turned; left so unless `joined`.

    A bias of truths says which keys count; where none does the weights are 0.
    """
    q, k, v = tensors
    typed = like(g, *(i for i in node.inputs if i))
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
