"""Makes large matrices of fully connected layers inputs of a session; of constants it would keep rearranged copies."""

from math import prod
from typing import Any

import numpy as np
from onnx import helper

from ..ir.graph import Graph, Type

__all__ = ["HEAVY", "LARGE", "ROWS", "large_matrices_as_inputs"]

HEAVY = 16 << 20
"""Minimum bytes of a fully connected layer's matrix to become an input."""
LARGE, ROWS = 4 << 20, 128
"""Minimum bytes of a matrix, and rows of the product, to become an input in a program with gradients.

With 197 rows (ViT-B/16) rearranging it in each run makes a gradient 1.05 times as slow, and saves half of its memory.
"""


def large_matrices_as_inputs(graph: Graph, *, twice: bool) -> tuple[Graph, dict[str, np.ndarray[Any, Any]]]:
    """A copy of the graph that takes large matrices as inputs, and these matrices by name.

    Fully connected layers have as few rows as there are images: VGG-16's gradient is as fast with its matrices as
    inputs, and takes 1.1 GB less. If a matrix is used `twice`, forward and backward, two rearranged copies are saved,
    so that it pays for products of many rows too.
    """
    copy = graph.copy()
    large = _fully_connected(graph) | (_of_many_rows(graph) if twice else set())
    matrices = {name: copy.constants.pop(name) for name in graph.constants if name in large}
    copy.inputs |= {n: Type(helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in matrices.items()}
    return copy, matrices


def _fully_connected(graph: Graph) -> set[str]:
    """Large matrices of fully connected layers."""
    heads = {node.inputs[1] for node in graph.nodes if node.op == "Gemm" and not node.domain}
    return {name for name in heads.intersection(graph.constants) if graph.constants[name].nbytes >= HEAVY}


def _of_many_rows(graph: Graph) -> set[str]:
    """Large matrices of products with so many rows that rearranging the matrix in each run costs little."""
    turned = {node.outputs[0]: node.inputs[0] for node in graph.nodes if node.op == "Transpose"}
    rows = {
        turned.get(node.inputs[1], node.inputs[1]): _rows(graph, node.inputs[0])
        for node in reversed(graph.nodes)  # the sizes of a backward product, which comes later, may be unknown
        if node.op == "MatMul"
    }
    values = graph.constants
    matrices = {name for name in rows if name in values and values[name].ndim == 2 and values[name].nbytes >= LARGE}
    return {name for name in matrices if rows[name] >= ROWS}


def _rows(graph: Graph, tensor: str) -> int:
    """Rows of a tensor's matrices for one image, unknown sizes counted as one; 0 if the shape is unknown."""
    known = graph.types.get(tensor)
    return prod(n for n in known.dims[:-1] if isinstance(n, int)) if known and known.dims else 0
