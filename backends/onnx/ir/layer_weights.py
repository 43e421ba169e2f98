"""The weights of a layer: which inputs of its node they are, and their layout that is the same for all frameworks."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy

from .graph import Graph, Node

__all__ = ["in_other_layout", "unnamed_constants", "weights_of", "with_weights"]

_POSITIONS = {
    "Conv": {"kernel": 1, "bias": 2},
    "ConvTranspose": {"kernel": 1, "bias": 2},
    "Gemm": {"kernel": 1, "bias": 2},
    "MatMul": {"kernel": 1},
    "BatchNormalization": {"scale": 1, "offset": 2, "mean": 3, "variance": 4},
    "InstanceNormalization": {"scale": 1, "offset": 2},
    "LayerNormalization": {"scale": 1, "offset": 2},
    "GroupNormalization": {"scale": 1, "offset": 2},
    "PRelu": {"slope": 1},
}


def weights_of(graph: Graph, tensor: str) -> dict[str, Array]:
    """The constants of the node that computes `tensor`, by name; empty if there are none."""
    node = graph.producer(tensor)
    if node is None or node.domain:
        return {}
    weights = {}
    for name, position in _positions(graph, node).items():
        value = graph.value(node.inputs[position]) if node.has(position) else None
        if value is not None:
            weights[name] = in_other_layout(node, name, value)
    return weights


def unnamed_constants(graph: Graph, tensors: Collection[str]) -> list[Array]:
    """The floating constants that the nodes of these tensors read and that `weights_of` gives for none of them."""
    nodes = [node for node in graph.nodes if not {*node.outputs}.isdisjoint(tensors)]
    named = {
        node.inputs[position] for node in nodes for position in _positions(graph, node).values() if node.has(position)
    }
    read = {name for node in nodes for name in node.reads} - named
    values = [value for name in sorted(read) if (value := graph.value(name)) is not None]
    return [value for value in values if np.asarray(value).dtype.kind == "f"]


def _positions(graph: Graph, node: Node) -> Mapping[str, int]:
    """The inputs of a node that are weights, by name; of an Add right behind a MatMul the bias that it adds."""
    if node.domain:
        return {}
    if node.op != "Add" or len(node.inputs) != 2:
        return _POSITIONS.get(node.op, {})
    for product, position in ((node.inputs[0], 1), (node.inputs[1], 0)):
        bias = graph.value(node.inputs[position])
        if bias is not None and bias.ndim and bias.size == bias.shape[-1] == _outputs(graph, product):
            return {"bias": position}
    return {}


def _outputs(graph: Graph, product: str) -> int | None:
    """The number of outputs of a MatMul with a constant matrix; None if the tensor comes from another node."""
    node = None if product in graph.constants else graph.producer(product)
    matrix = graph.value(node.inputs[1]) if node is not None and node.op == "MatMul" and not node.domain else None
    return None if matrix is None or matrix.ndim != 2 else int(matrix.shape[1])


def in_other_layout(node: Node, name: str, value: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A constant in the layout of `Model.weights`, or back in ONNX's: the transposition is its own inverse."""
    if node.op == "Add":
        return value.reshape(-1)
    if name != "kernel" or not _is_transposed(node):
        return value
    return _transposed_conv(value, node.attr("group", 1)) if node.op == "ConvTranspose" else value.T


def _is_transposed(node: Node) -> bool:
    return node.op in {"ConvTranspose", "MatMul"} or (node.op == "Gemm" and not node.attr("transB", 0))


def _transposed_conv(kernel: np.ndarray[Any, Any], groups: int) -> np.ndarray[Any, Any]:
    """(in, out / g, *k) to (out, in / g, *k), and back."""
    inputs, outputs, *size = kernel.shape
    split = kernel.reshape(groups, inputs // groups, outputs, *size).swapaxes(1, 2)
    return split.reshape(groups * outputs, inputs // groups, *size)


def with_weights(graph: Graph, changed: Mapping[str, Mapping[str, Array]]) -> Graph:
    """A copy of the graph with other weights at the nodes that compute these tensors.

    A constant that several nodes share changes at the named nodes only.
    """
    copy = graph.copy()
    copy.store = {}
    copy.nodes = [_node_with_weights(copy, node, changed.get(node.outputs[0], {})) for node in graph.nodes]
    return copy


def _node_with_weights(graph: Graph, node: Node, values: Mapping[str, Array]) -> Node:
    inputs = list(node.inputs)
    for name, value in values.items():
        position = _positions(graph, node)[name]
        old = graph.constants[inputs[position]]
        new = np.asarray(in_other_layout(node, name, as_numpy(value)), dtype=old.dtype, order="C").reshape(old.shape)
        inputs[position] = graph.derived_constant(
            graph.unique_name(f"{inputs[position]}:redrawn"), partial(np.asarray, new)
        )
    return replace(node, inputs=tuple(inputs)) if values else node
