"""Constant folding: computes once what depends on constants and known shapes only, and expands known control flow."""

from collections.abc import Container, Iterable
from math import prod
from typing import Any

import numpy as np

from ..ir.graph import Graph, Node
from .constant_if import inline_known_branches
from .evaluate import evaluate
from .inference import infer
from .sequences import SEQUENCES, write_out_sequences
from .unrolled_loops import unroll_known_loops

__all__ = ["fold"]

_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
_MOST_FOLDED = 1 << 26
"""Elements up to which a constant is folded; a larger one would cost more memory than it saves time."""


def fold(graph: Graph) -> None:
    """Replace, in place, nodes that depend on constants and known shapes only by their values; types are set as well.

    Known control flow is expanded: the taken branch of an If, the iterations of a Loop or Scan, sequences.
    """
    infer(graph)
    _fold_constants(graph)
    while inline_known_branches(graph) or unroll_known_loops(graph) or write_out_sequences(graph):
        infer(graph)
        _fold_constants(graph)


def _fold_constants(graph: Graph) -> None:
    while nodes := _constant_nodes(graph):
        graph.constants |= _known_shapes(graph, nodes)
        graph.constants |= evaluate(graph, nodes, _read_outside(graph, nodes))
        gone = set(nodes)
        graph.nodes = [node for node in graph.nodes if node not in gone]
        infer(graph)


def _constant_nodes(graph: Graph) -> list[Node]:
    known = set(graph.constants)
    nodes = []
    for node in graph.nodes:
        if _ready(graph, node, known) and _small(graph, node):
            nodes.append(node)
            known.update(node.outputs)
    return nodes


def _ready(graph: Graph, node: Node, known: Container[str]) -> bool:
    """Whether a node can be computed now; a Shape that inference does not know waits until its input is a constant."""
    if node.op in {"Shape", "Size"} and not node.domain:
        return _has_known_shape(graph, node)
    return node.op not in _RANDOM and node.op not in SEQUENCES and all(name in known for name in node.reads)


def _small(graph: Graph, node: Node) -> bool:
    kind = graph.types.get(node.outputs[0])
    return kind is None or not kind.static or prod(int(d) for d in kind.dims or ()) <= _MOST_FOLDED


def _has_known_shape(graph: Graph, node: Node) -> bool:
    dims = graph.types[node.inputs[0]].dims if node.inputs[0] in graph.types else None
    if dims is None:
        return False
    return all(isinstance(d, int) for d in (dims if node.op == "Size" else dims[_window(node)]))


def _window(node: Node) -> slice:
    return slice(node.attr("start", 0), node.attr("end"))


def _known_shapes(graph: Graph, nodes: Iterable[Node]) -> dict[str, np.ndarray[Any, Any]]:
    shapes = {}
    for node in nodes:
        if node.op in {"Shape", "Size"}:
            dims = graph.dims(node.inputs[0])
            value = prod(int(d) for d in dims) if node.op == "Size" else dims[_window(node)]
            shapes[node.outputs[0]] = np.asarray(value, np.int64)
    return shapes


def _read_outside(graph: Graph, inside: Iterable[Node]) -> list[str]:
    made = {o for node in inside for o in node.outputs}
    within = set(inside)
    read = {name for node in graph.nodes if node not in within for name in node.reads}
    return sorted(made & (read | set(graph.outputs)))
