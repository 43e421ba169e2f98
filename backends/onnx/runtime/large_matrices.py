"""Large matrices of fully connected layers become inputs of a session, which else keeps rearranged copies of them."""

from math import prod
from typing import Any

import numpy as np
from onnx import helper

from ..ir.graph import Graph, Type

__all__ = ["HEAVY", "LARGE", "ROWS", "matrices_apart"]

HEAVY = 16 << 20
"""Bytes from which the matrix of a fully connected layer is handed to each run instead of to the session."""
LARGE, ROWS = 4 << 20, 128
"""Bytes from which the matrix of a product with so many rows is handed to each run where gradients are asked for.

With 197 rows (ViT-B/16) arranging it on the way takes a gradient 1.05 times as long, and saves half of its memory.
"""


def matrices_apart(graph: Graph, *, twice: bool) -> tuple[Graph, dict[str, np.ndarray[Any, Any]]]:
    """A copy that takes large matrices as inputs, and these matrices: onnxruntime rearranges a copy of its constants.

    Fully connected layers have as few rows as there are images: VGG-16's gradient took as long without, and 1.1 GB
    less. Where a matrix is needed `twice`, forward and backward, two arranged copies are saved, for many rows too.
    """
    made = graph.copy()
    found = _of_heads(graph) | (_of_many_rows(graph) if twice else set())
    fed = {name: made.constants.pop(name) for name in graph.constants if name in found}
    made.inputs |= {n: Type(helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for n, v in fed.items()}
    return made, fed


def _of_heads(graph: Graph) -> set[str]:
    """Matrices of fully connected layers."""
    heads = {node.inputs[1] for node in graph.nodes if node.op == "Gemm" and not node.domain}
    return {name for name in heads.intersection(graph.constants) if graph.constants[name].nbytes >= HEAVY}


def _of_many_rows(graph: Graph) -> set[str]:
    """Matrices of products with enough rows for arranging the matrix on the way to cost little."""
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
    """Rows of a tensor's matrices for one image, sizes known by name counted as one; 0 if nothing is known."""
    known = graph.types.get(tensor)
    return prod(n for n in known.dims[:-1] if isinstance(n, int)) if known and known.dims else 0
