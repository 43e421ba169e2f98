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
from .tensor_sizes import element_count, refuse_larger_than_memory
from .unrolled_loops import unroll_known_loops

__all__ = ["fold"]

_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
_SIZED = frozenset({"ConstantOfShape", "Expand", "Tile", "Range", "Resize", "Upsample", "Pad", "OneHot", "Col2Im"}) | {
    *("ConvTranspose", "BlackmanWindow", "HammingWindow", "HannWindow", "MelWeightMatrix", "DFT", "STFT", "AffineGrid")
}
"""Operators of which values or attributes decide how large the output is."""
_MOST_FOLDED = 1 << 26
"""Elements up to which constants are folded at once; a larger one would cost more memory than it saves time."""


def fold(graph: Graph) -> None:
    """Replace, in place, nodes that depend on constants and known shapes only by their values; types are set as well.

    Known control flow is expanded: the taken branch of an If, the iterations of a Loop or Scan, sequences.
    """
    infer(graph)
    _fold_constants(graph)
    refuse_larger_than_memory(graph)
    while inline_known_branches(graph) or unroll_known_loops(graph) or write_out_sequences(graph):
        infer(graph)
        _fold_constants(graph)
        refuse_larger_than_memory(graph)


def _fold_constants(graph: Graph) -> None:
    while nodes := _constant_nodes(graph):
        refuse_larger_than_memory(graph, nodes)
        graph.constants |= _known_shapes(graph, nodes)
        graph.constants |= evaluate(graph, nodes, _read_outside(graph, nodes))
        gone = set(nodes)
        graph.nodes = [node for node in graph.nodes if node not in gone]
        infer(graph)


def _constant_nodes(graph: Graph) -> list[Node]:
    """The next nodes to compute, of `_MOST_FOLDED` elements together at most."""
    known, room = set(graph.constants), _MOST_FOLDED
    nodes = []
    for node in graph.nodes:
        if _ready(graph, node, known) and (size := _size(graph, node)) <= _MOST_FOLDED:
            if size > room:
                break
            room -= size
            nodes.append(node)
            known.update(node.outputs)
    return nodes


def _ready(graph: Graph, node: Node, known: Container[str]) -> bool:
    """Whether a node can be computed now; a Shape that inference does not know waits until its input is a constant.

    Nodes with subgraphs are expanded, not computed: a Loop may have no end. A size that values decide must be known.
    """
    if node.op in {"Shape", "Size"} and not node.domain:
        return _has_known_shape(graph, node)
    if node.op in _RANDOM or node.op in SEQUENCES or node.has_subgraphs:
        return False
    sized = node.op not in _SIZED or all(o in graph.types and graph.types[o].static for o in node.outputs if o)
    return sized and all(name in known for name in node.reads)


def _size(graph: Graph, node: Node) -> int:
    return sum(element_count(graph, output) or 0 for output in node.outputs if output)


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
