"""Shapes of every tensor, and shape arithmetic computed ahead: what a derivative rule needs to know.

ONNX's own inference runs on a graph without its large constants, so it takes milliseconds whatever the weights weigh.
"""

from collections.abc import Container, Iterable
from math import prod
from typing import Any

import numpy as np
from onnx import TensorProto, TypeProto, helper, shape_inference

from ..ir.graph import Graph, Node, Type
from ..ir.serialise import model_proto, run_constants
from .constant_if import inline_known_branches
from .sequences import SEQUENCES, write_out_sequences
from .unrolled_loops import unroll_known_loops

__all__ = ["fold", "infer", "type_of"]

_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}
)
_AS_THEIR_INPUT = frozenset({"GroupNormalization", "MeanVarianceNormalization"})
"""Operators whose output onnx does not know the shape of: it is that of the first input."""
_MOST_FOLDED = 1 << 26
"""Elements up to which a constant is computed ahead; a larger one would cost more memory than it saves time."""


def type_of(proto: TypeProto, name: str) -> Type:
    """Element type and sizes of a tensor; an unnamed unknown size gets a name of its own."""
    tensor = proto.tensor_type
    if not tensor.HasField("shape"):
        return Type(tensor.elem_type)
    dims = tuple(
        d.dim_value if d.HasField("dim_value") else d.dim_param or f"?{name}:{position}"
        for position, d in enumerate(tensor.shape.dim)
    )
    return Type(tensor.elem_type, dims)


def infer(graph: Graph) -> None:
    """Set `graph.types` from the types of its inputs, in place."""
    stub = model_proto(graph, large_as_inputs=True)
    for node in stub.graph.node:
        if node.op_type in _AS_THEIR_INPUT and not node.domain:
            node.CopyFrom(helper.make_node("Identity", node.input[:1], node.output))
    done = shape_inference.infer_shapes(stub, data_prop=True).graph
    types = {v.name: type_of(v.type, v.name) for v in (*done.input, *done.value_info, *done.output)}
    constants = {
        name: Type(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape) for name, value in graph.constants.items()
    }
    graph.types = {**{k: t for k, t in types.items() if t.elem != TensorProto.UNDEFINED}, **constants}


def fold(graph: Graph) -> None:
    """Compute what depends on constants and known shapes only, in place; types are set as well.

    What is known by then is written out: the branch that an If takes, the steps of a Loop or Scan, sequences.
    """
    infer(graph)
    _fold_constants(graph)
    while inline_known_branches(graph) or unroll_known_loops(graph) or write_out_sequences(graph):
        infer(graph)
        _fold_constants(graph)


def _fold_constants(graph: Graph) -> None:
    while found := _constant_nodes(graph):
        graph.constants |= _known_shapes(graph, found)
        graph.constants |= run_constants(graph, found, _read_outside(graph, found))
        gone = set(found)
        graph.nodes = [node for node in graph.nodes if node not in gone]
        infer(graph)


def _constant_nodes(graph: Graph) -> list[Node]:
    known = set(graph.constants)
    found = []
    for node in graph.nodes:
        if _ready(graph, node, known) and _small(graph, node):
            found.append(node)
            known.update(node.outputs)
    return found


def _ready(graph: Graph, node: Node, known: Container[str]) -> bool:
    """Whether a node can be computed now; a shape that inference missed waits until its tensor is a constant."""
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
    found = {}
    for node in nodes:
        if node.op in {"Shape", "Size"}:
            dims = graph.dims(node.inputs[0])
            value = prod(int(d) for d in dims) if node.op == "Size" else dims[_window(node)]
            found[node.outputs[0]] = np.asarray(value, np.int64)
    return found


def _read_outside(graph: Graph, inside: Iterable[Node]) -> list[str]:
    made = {o for node in inside for o in node.outputs}
    within = set(inside)
    read = {name for node in graph.nodes if node not in within for name in node.reads}
    return sorted(made & (read | set(graph.outputs)))
