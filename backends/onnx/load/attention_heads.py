"""Attention with the heads folded into the batch axis, (N heads, T, T), as torch.nn.MultiheadAttention is exported.

The softmax is rewritten on (N, heads, T, T) between two Reshapes, so that the batch is the first axis of its layer.
"""

from collections.abc import Mapping
from dataclasses import replace

from crosslens.model import INPUT

from ..ir.graph import Graph, Node, Type
from ..shapes.constant_folding import fold

__all__ = ["unfold_heads"]

MANY = 13
"""Batch size for shape inference: an unlikely number of heads, so that an axis of this size is the batch."""

_SCORES = frozenset({"Add", "Sub", "Mul", "Div", "Where", "Cast", "Identity"})
"""Operators allowed between the product of queries and keys and the softmax."""
_QUERIES = frozenset({"Mul", "Div", "Cast", "Identity", "Transpose", "Split", "Slice", "Squeeze", "Gather"})
Types = Mapping[str, Type]


def unfold_heads(graph: Graph) -> None:
    """Rewrite, in place, each Softmax over (N heads, T, T) if a Reshape shows that the batch comes before the heads.

    Not rewritten: windows in the batch axis (no tensor (N, T, D) has as many tokens), networks of free image sizes, and
    heads before the batch.
    """
    batch, *sizes = graph.inputs[INPUT].dims or ("N",)
    suspects = [node for node in graph.nodes if _may_fold_heads(graph, node, batch)]
    if not suspects or any(isinstance(size, str) for size in sizes):
        return
    count = MANY if isinstance(batch, str) else batch
    types = _types(graph, count) if isinstance(batch, str) else graph.types
    tokens = {kind.dims[1] for kind in types.values() if kind.dims and len(kind.dims) == 3 and kind.dims[0] == count}
    makers = {o: node for node in graph.nodes for o in node.outputs}
    for node in suspects:
        kind = types.get(node.outputs[0])
        heads = _heads(kind, count) if kind and kind.dims and kind.dims[1] in tokens else 1
        if heads not in {1, count} and _batch_first(makers, node, types, count):
            _unfold(graph, node, heads)


def _may_fold_heads(graph: Graph, node: Node, batch: int | str) -> bool:
    known = graph.types.get(node.outputs[0])
    if node.op != "Softmax" or node.domain or known is None or known.dims is None or len(known.dims) != 3:
        return False
    return node.attr("axis") in {-1, 2} and known.dims[0] != batch and known.dims[1] == known.dims[2]


def _types(graph: Graph, count: int) -> Types:
    """The types of all tensors for a batch of `count` images."""
    copy = graph.copy()
    kind = copy.inputs[INPUT]
    copy.inputs[INPUT] = replace(kind, dims=(count, *(kind.dims or ())[1:]))
    fold(copy)
    return copy.types


def _heads(kind: Type, count: int) -> int:
    """The number of rows for each image; 1 if it is not a whole number."""
    rows = (kind.dims or (1,))[0]
    return rows // count if isinstance(rows, int) and rows % count == 0 else 1


def _batch_first(makers: Mapping[str, Node], node: Node, types: Types, count: int) -> bool:
    """Whether the Reshape of the queries keeps the heads of an image together: (T, N, D) to (T, N heads, d)."""
    product = _back(makers, node.inputs[0], _SCORES, types)
    if product is None or product.op not in {"MatMul", "Gemm", "Einsum"}:
        return False
    split = _back(makers, product.inputs[0], _QUERIES, types)
    if split is None or split.op != "Reshape":
        return False
    before, after = (types[name].dims or () for name in (split.inputs[0], split.outputs[0]))
    merged = next((axis for axis, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    rows = (types[node.outputs[0]].dims or (0,))[0]
    if merged is None:
        return False
    return before[merged] == count and after[merged] == rows


def _back(makers: Mapping[str, Node], name: str, through: frozenset[str], types: Types) -> Node | None:
    """The first node upstream that is not one of the operators `through`."""
    node = makers.get(name)
    while node is not None and node.op in through:
        computed = [i for i in node.inputs if i in makers and i in types and types[i].is_float]
        node = makers.get(computed[-1] if node.op == "Where" and computed else (*computed, "")[0])
    return node


def _unfold(graph: Graph, node: Node, heads: int) -> None:
    size = graph.dims(node.outputs[0])[2]
    if not isinstance(size, int):
        return
    (weights,) = node.outputs
    unfolded, flat = (graph.unique_name(f"{weights}:{part}") for part in ("scores", "flat"))
    made = [
        graph.node("Reshape", node.inputs[0], graph.ints([-1, heads, size, size]), outputs=[unfolded]),
        replace(node, inputs=(unfolded,), attributes={}),
        graph.node("Reshape", weights, graph.ints([-1, size, size]), outputs=[flat]),
    ]
    others = [
        replace(n, inputs=tuple(flat if i == weights else i for i in n.inputs)) if weights in n.inputs else n
        for n in graph.nodes
    ]
    place = graph.nodes.index(node)
    graph.nodes = [*others[:place], *made, *others[place + 1 :]]
