"""Frees the batch size of a graph that was exported for a fixed one, if shape inference shows that it is safe."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from crosslens.model import INPUT

from ..ir.graph import Graph, Node, Type
from ..ir.graph_input import GraphInput
from .constant_folding import fold
from .inference import infer

__all__ = ["BATCH", "free_batch", "keep_batch_in_reshapes", "mixes_images", "with_named_batch"]

BATCH = "N"


def free_batch(graph: Graph, graph_input: GraphInput) -> tuple[Graph, GraphInput]:
    """A graph of a fixed batch made free, and its input; both unchanged where that is not safe.

    Safe means: with the batch axis of the input named, inference finds the same name at the first axis of every tensor
    from input to output. A Reshape to a constant shape that starts with the fixed batch takes its input's batch.
    """
    freed = with_named_batch(graph)
    return (freed, replace(graph_input, batch=None)) if _all_batched(freed) else (graph, graph_input)


def with_named_batch(graph: Graph) -> Graph:
    """A copy of a graph of a fixed batch with the batch axis named `BATCH`, as far as inference follows it."""
    freed = graph.copy()
    kind = freed.inputs[INPUT]
    assert kind.dims is not None
    fixed = kind.dims[0]
    freed.inputs[INPUT] = replace(kind, dims=(BATCH, *kind.dims[1:]))
    freed.nodes = [_free_reshape(freed, node, fixed) for node in graph.nodes]
    freed.types = {}
    fold(freed)
    keep_batch_in_reshapes(freed)
    return freed


def _free_reshape(graph: Graph, node: Node, fixed: int | str) -> Node:
    shape = _constant_shape(graph, node)
    if shape is None or not shape.size or shape[0] != fixed or graph.dims(node.inputs[0])[:1] != (fixed,):
        return node
    return _with_shape(graph, node, [0, *shape[1:]])


def keep_batch_in_reshapes(graph: Graph) -> None:
    """Rewrite, in place, Reshapes to (-1, sizes) that keep the batch as (0, sizes), so that inference follows it."""
    while True:
        nodes = [_keep_batch(graph, node) for node in graph.nodes]
        if nodes == graph.nodes:
            return
        graph.nodes = nodes
        graph.types |= {o: Type(graph.types[o].elem) for o in graph.outputs if o in graph.types}
        infer(graph)


def _keep_batch(graph: Graph, node: Node) -> Node:
    shape = _constant_shape(graph, node)
    if shape is None or not shape.size or shape[0] != -1:
        return node
    kind = graph.types.get(node.inputs[0])
    if kind is None or not kind.dims or kind.dims[0] != BATCH or any(isinstance(d, str) for d in kind.dims[1:]):
        return node
    if prod(map(int, shape[1:])) != prod(int(d) for d in kind.dims[1:]):
        return node
    return _with_shape(graph, node, [0, *shape[1:]])


def _constant_shape(graph: Graph, node: Node) -> np.ndarray[Any, Any] | None:
    if node.op != "Reshape" or node.domain:
        return None
    value = graph.value(node.inputs[1])
    meant = value is not None and bool(node.attr("allowzero", 0)) and not value.all()
    return None if meant else value


def _with_shape(graph: Graph, node: Node, shape: list[int]) -> Node:
    return replace(node, inputs=(node.inputs[0], graph.ints(shape)), attributes={})


def mixes_images(graph: Graph) -> bool:
    """Whether images in a batch may influence each other: a float tensor behind the input has one size for any batch.

    Examples are the deviation over a batch in some discriminators, and the scale of a dynamic quantisation.
    """
    known = (kind for kind in _behind_input(graph) if kind is not None and kind.is_float and kind.dims is not None)
    return any(all(isinstance(n, int) for n in kind.dims or ()) for kind in known)


def _all_batched(graph: Graph) -> bool:
    kinds = _behind_input(graph)
    return all(kind is not None and (not kind.is_float or (kind.dims or ("",))[0] == BATCH) for kind in kinds)


def _behind_input(graph: Graph) -> Iterator[Type | None]:
    """The types of all tensors that are computed from the input; None for an unknown one."""
    behind = {INPUT}
    for node in graph.nodes:
        if any(i in behind for i in node.reads):
            behind.update(node.outputs)
            yield from (graph.types.get(o) for o in node.outputs if o)
