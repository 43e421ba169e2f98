"""What onnx's shape inference would carry along of constants' values: Ranges and Concats, at any length.

It does so to follow computed sizes. A Range of 2 ** 31 numbers takes 17 GB there, and so do 31 Concats that
each double a vector.
"""

from collections.abc import Iterable
from math import ceil, isfinite

import numpy as np
from onnx import GraphProto, NodeProto, helper

from ..ir.graph import Graph
from ..ir.subgraph import graphs_of, subgraphs

__all__ = ["hide_computed_ranges", "may_propagate"]

MOST_VALUES = 1 << 16
"""Numbers of one tensor up to which inference may carry them along."""
_USUAL = 16
"""How many numbers a tensor is taken to have of which nothing is known: a shape has as many as axes."""
_CARRIED = frozenset(
    {
        *("Add", "Cast", "Concat", "Div", "Gather", "Identity", "Mul", "Reshape", "Shape", "Size", "Slice", "Squeeze"),
        *("Sub", "Unsqueeze", "Range", "Constant"),
    }
)


def may_propagate(graph: Graph) -> bool:
    """Whether inference may carry values along in this graph: no constant Range and no chain of Concats is too long."""
    counts = {name: min(value.size, MOST_VALUES) for name, value in graph.constants.items()}
    protos = (node.proto() if node.has_subgraphs else node for node in graph.nodes)
    for node in protos:
        if isinstance(node, NodeProto):
            if not all(_is_short(inner) for top in graphs_of([node]) for inner in subgraphs(top)):
                return False
            continue
        if node.op == "Range" and range_length(graph, node.inputs) > MOST_VALUES:
            return False
        if not _count(counts, node.op, node.inputs, node.outputs):
            return False
    return True


def range_length(graph: Graph, inputs: Iterable[str]) -> int:
    """The number of elements of a Range of constants; 0 if one of them is computed, or it is no number."""
    values = [graph.value(name) for name in inputs]
    if len(values) != 3 or any(value is None or value.size != 1 for value in values):
        return 0
    start, limit, delta = (float(np.asarray(value).reshape(())) for value in values)
    length = (limit - start) / delta if delta else 0.0
    return max(0, ceil(length)) if isfinite(length) else MOST_VALUES + 1


def _is_short(graph: GraphProto) -> bool:
    counts: dict[str, int] = {}
    return all(_count(counts, node.op_type, node.input, node.output) for node in graph.node)


def _count(counts: dict[str, int], op: str, inputs: Iterable[str], outputs: Iterable[str]) -> bool:
    """Note how many values the outputs may have; False if they are too many."""
    each = [counts.get(name, _USUAL) for name in inputs if name] if op in _CARRIED else [_USUAL]
    most = sum(each) if op == "Concat" else max(each, default=_USUAL)
    counts.update(dict.fromkeys(outputs, most))
    return most <= MOST_VALUES


def hide_computed_ranges(graph: GraphProto, constants: Iterable[str]) -> None:
    """Let inference know of a Range of computed numbers, in place, that it is a vector, not which numbers it has.

    Neg keeps type and shape; inference does not carry values through it.
    """
    known = set(constants)
    for inside in subgraphs(graph):
        ranges = [place for place, node in enumerate(inside.node) if node.op_type == "Range"]
        for place in reversed(ranges):
            node = inside.node[place]
            if inside is not graph or not known.issuperset(node.input):
                _hide_inputs(inside, place, node)


def _hide_inputs(graph: GraphProto, place: int, node: NodeProto) -> None:
    names = list(node.input)
    node.input[:] = [f"const:hidden{position}:{node.output[0]}" for position in range(len(names))]
    for name, hidden in zip(names, list(node.input), strict=True):
        graph.node.insert(place, helper.make_node("Neg", [name], [hidden]))
