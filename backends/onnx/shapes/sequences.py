"""Removes sequences of a known number of tensors, as torch's older exporter writes chunk, unbind and lists.

What is put into a sequence is read at a constant index, or concatenated: then the sequence itself is not needed.
"""

from collections.abc import Callable
from math import ceil

import numpy as np

from ..ir.graph import Graph, Node

__all__ = ["SEQUENCES", "write_out_sequences"]

Known = dict[str, list[str]]
"""The tensors of each sequence."""


def write_out_sequences(graph: Graph) -> bool:
    """Replace, in place, operators that read sequences of known tensors; types and constants must be set.

    Returns:
        Whether an operator was replaced.
    """
    if not any(node.op in _READERS and not node.domain for node in graph.nodes):
        return False
    known: Known = {}
    body, graph.nodes = graph.nodes, []
    for node in body:
        before = len(graph.nodes)
        if node.domain or node.op not in _READERS or not _READERS[node.op](graph, node, known):
            graph.nodes[before:] = [node]
    read = {name for node in graph.nodes for name in node.reads} | set(graph.outputs)
    graph.nodes = [node for node in graph.nodes if node.op not in _MAKERS or read.intersection(node.outputs)]
    return graph.nodes != body


def _construct(graph: Graph, node: Node, known: Known) -> bool:
    known[node.outputs[0]] = list(node.inputs)
    return False


def _insert(graph: Graph, node: Node, known: Known) -> bool:
    """At the end if no position is given."""
    parts = known.get(node.inputs[0])
    place = graph.value(node.inputs[2]) if node.has(2) else np.array(len(parts or ()))
    if parts is not None and place is not None:
        at = int(place.reshape(()))
        at += len(parts) if at < 0 else 0
        known[node.outputs[0]] = [*parts[:at], node.inputs[1], *parts[at:]]
    return False


def _erase(graph: Graph, node: Node, known: Known) -> bool:
    """The last if no position is given."""
    parts = known.get(node.inputs[0])
    place = graph.value(node.inputs[1]) if node.has(1) else np.array(-1)
    if parts is not None and place is not None:
        gone = int(place.reshape(())) % len(parts)
        known[node.outputs[0]] = [part for at, part in enumerate(parts) if at != gone]
    return False


def _split(graph: Graph, node: Node, known: Known) -> bool:
    """Into pieces of one size, of several sizes, or into single rows, which lose the axis without `keepdims`."""
    x, axis = node.inputs[0], node.attr("axis", 0)
    kind = graph.types.get(x)
    length = kind.dims[axis] if kind is not None and kind.dims is not None else None
    given = graph.value(node.inputs[1]) if node.has(1) else np.array(1)
    if given is None or (given.ndim == 0 and not isinstance(length, int)):
        return False
    if given.ndim == 0:
        size, whole = int(given), int(length or 0)
        given = np.array([min(size, whole - size * part) for part in range(ceil(whole / size))])
    if not len(given):
        return False
    parts = graph.ops("Split", len(given), x, graph.ints(given.tolist()), axis=axis)
    if not node.has(1) and not node.attr("keepdims", 1):
        parts = tuple(graph.op("Squeeze", part, graph.ints([axis])) for part in parts)
    known[node.outputs[0]] = list(parts)
    return True


def _at(graph: Graph, node: Node, known: Known) -> bool:
    parts, place = known.get(node.inputs[0]), graph.value(node.inputs[1])
    if parts is None or place is None:
        return False
    graph.nodes.append(graph.node("Identity", parts[int(place.reshape(()))], outputs=node.outputs))
    return True


def _concat(graph: Graph, node: Node, known: Known) -> bool:
    parts, axis = known.get(node.inputs[0]), node.attr("axis")
    if not parts:
        return False
    if node.attr("new_axis", 0):
        parts = [graph.op("Unsqueeze", part, graph.ints([axis])) for part in parts]
    graph.nodes.append(graph.node("Concat", *parts, outputs=node.outputs, axis=axis))
    return True


def _length(graph: Graph, node: Node, known: Known) -> bool:
    parts = known.get(node.inputs[0])
    if parts is None:
        return False
    graph.nodes.append(graph.node("Identity", graph.const(len(parts), np.int64), outputs=node.outputs))
    return True


_MAKERS: dict[str, Callable[[Graph, Node, Known], bool]] = {
    "SequenceEmpty": _construct,
    "SequenceConstruct": _construct,
    "SequenceInsert": _insert,
    "SequenceErase": _erase,
    "SplitToSequence": _split,
}
SEQUENCES = frozenset(_MAKERS)
"""Operators whose output is a sequence of tensors."""
_READERS = {**_MAKERS, "SequenceAt": _at, "ConcatFromSequence": _concat, "SequenceLength": _length}
"""Each appends the nodes that replace its own, and returns whether there are any."""
