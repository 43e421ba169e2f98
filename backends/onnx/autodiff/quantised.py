"""Quantised tensors, q = clip(round(x / scale) + zero point): scales and zero points per element, integer ranges."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crosslens.model import INPUT
from onnx import TensorProto, helper

from ..ir.graph import FLOAT, DynamicShapeError, Graph, Node

__all__ = ["before_scores", "broadcast_parameter", "is_image", "value_range", "zero_point"]

_NARROW = {TensorProto.UINT4: (0, 15), TensorProto.INT4: (-8, 7), TensorProto.UINT2: (0, 3), TensorProto.INT2: (-2, 1)}
_FLOAT8 = {TensorProto.FLOAT8E4M3FN: 448, TensorProto.FLOAT8E4M3FNUZ: 240, TensorProto.FLOAT8E5M2: 57344,
           TensorProto.FLOAT8E5M2FNUZ: 57344, TensorProto.FLOAT4E2M1: 6}  # fmt: skip


_ENDING = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "Identity", "Cast", "Reshape", "Flatten", "Softmax", "LogSoftmax", "Sigmoid"}
)
"""Operators that may follow the scores of a network and map each score on its own, or by a softmax."""


_PREPROCESSING = frozenset(
    ["Add", "Sub", "Mul", "Div", "Cast", "Gather", "Transpose", "Identity", "Reshape", "Squeeze", "Unsqueeze"]
)
"""Operators that may stand between the image and its quantisation."""


def before_scores(nodes: Sequence[Node]) -> frozenset[str]:
    """All tensors that are read, but for those that only the operators after the network's last scores read."""
    tensors: set[str] = set()
    for node in reversed(nodes):
        if node.op not in _ENDING or node.domain or tensors.intersection(node.outputs):
            tensors.update(node.reads)
    return frozenset(tensors)


def value_range(elem: int) -> tuple[float, float]:
    """The smallest and the largest number of an element type."""
    if elem in _FLOAT8:
        return -_FLOAT8[elem], _FLOAT8[elem]
    return _NARROW.get(elem) or _integer_range(elem)


def _integer_range(elem: int) -> tuple[int, int]:
    info = np.iinfo(helper.tensor_dtype_to_np_dtype(elem))
    return int(info.min), int(info.max)


def broadcast_parameter(g: Graph, node: Node, x: str, name: str) -> str:
    """A scale or zero point in a shape that broadcasts with `x`: one number, one per index of `axis`, or one per block.

    Args:
        g: the graph to append to.
        node: the QuantizeLinear or DequantizeLinear, for its attributes.
        x: the tensor to quantise or dequantise.
        name: the tensor of the scale or zero point.
    """
    rank, size = g.rank(x), node.attr("block_size", 0)
    axis = node.attr("axis", 1) % max(rank, 1)
    if size:
        value = g.value(name)
        if value is None:
            raise DynamicShapeError(f"{node.name!r} has blocks of computed scales")
        (length,) = g.sizes(x, [axis])
        return g.derived_constant(
            f"{name}:blocks{size}", lambda: np.repeat(value, size, axis=axis).take(range(length), axis=axis)
        )
    if g.rank(name) == 0 or g.dims(name) == (1,):
        return g.op("Reshape", name, g.ints([])) if g.rank(name) else name
    return g.op("Reshape", name, g.ints(-1 if a == axis else 1 for a in range(rank)))


def is_image(g: Graph, x: str) -> bool:
    """Whether a tensor is the preprocessed image: its smallest values are dark pixels, not zeros of a rectifier."""
    while (node := g.producer(x)) is not None and node.op in _PREPROCESSING:
        x = next((i for i in node.inputs if i not in g.constants), "")
    return x == INPUT


def zero_point(g: Graph, node: Node, x: str, position: int, like: str) -> Any:
    """The zero point as floats, to add to `x`; None if it is zero or missing.

    Args:
        g: the graph to append to.
        node: the QuantizeLinear or DequantizeLinear.
        x: the tensor to quantise or dequantise.
        position: of the zero point among the node's inputs.
        like: a tensor of the float type that is wanted.
    """
    if not node.has(position):
        return None
    value = g.value(node.inputs[position])
    if value is not None and not value.astype(np.float32).any():
        return None
    return g.op("Cast", broadcast_parameter(g, node, x, node.inputs[position]), to=g.elem(like) or FLOAT)
