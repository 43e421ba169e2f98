"""Multi-head attention in standard operators. Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2."""

from collections.abc import Set
from math import sqrt

from .graph import Graph, Node
from .rewrite import like

__all__ = ["attended", "unusual", "weighted"]

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
    shape = g.ints([0, 0, heads, -1])
    q, k, v = (
        g.op("Transpose", g.op("Reshape", name, shape), perm=perm)
        for name, perm in zip(tensors, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    return weighted(g, node, (q, k, v), hidden // heads, bias)


def weighted(g: Graph, node: Node, tensors: Triple, size: int, bias: int) -> str:
    """The same from (N, heads, T, size), the key's last axes turned."""
    q, k, v = tensors
    scale = node.attr("scale") or 1 / sqrt(size)
    scores = g.op("Mul", g.op("MatMul", q, k), g.scalar(scale, like(g, *(i for i in node.inputs if i))))
    if node.has(bias):
        scores = g.op("Add", scores, node.inputs[bias])
    mixed = g.op("MatMul", g.op("Softmax", scores, axis=-1), v)
    return g.op("Reshape", g.op("Transpose", mixed, perm=[0, 2, 1, 3]), g.ints([0, 0, -1]))
