"""Quantised tensors: q = round(x / scale) + zero, cut off at the ends of the integers; which scale each element has."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from crosslens.model import INPUT
from onnx import TensorProto, helper

from ..ir.graph import FLOAT, DynamicShapeError, Graph, Node

__all__ = ["ends", "inner", "is_image", "offset", "spread"]

_NARROW = {TensorProto.UINT4: (0, 15), TensorProto.INT4: (-8, 7), TensorProto.UINT2: (0, 3), TensorProto.INT2: (-2, 1)}
_FLOAT8 = {TensorProto.FLOAT8E4M3FN: 448, TensorProto.FLOAT8E4M3FNUZ: 240, TensorProto.FLOAT8E5M2: 57344,
           TensorProto.FLOAT8E5M2FNUZ: 57344, TensorProto.FLOAT4E2M1: 6}  # fmt: skip


_ENDING = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "Identity", "Cast", "Reshape", "Flatten", "Softmax", "LogSoftmax", "Sigmoid"}
)
"""What may stand behind the scores of a network, and keeps each of them apart."""


_PREPROCESSING = frozenset(
    ["Add", "Sub", "Mul", "Div", "Cast", "Gather", "Transpose", "Identity", "Reshape", "Squeeze", "Unsqueeze"]
)
"""What may stand between an image and its rounding."""


def inner(nodes: Sequence[Node]) -> frozenset[str]:
    """The tensors that other nodes read than the last few of the network, which only finish its scores."""
    found: set[str] = set()
    for node in reversed(nodes):
        if node.op not in _ENDING or node.domain or found.intersection(node.outputs):
            found.update(node.reads)
    return frozenset(found)


def ends(elem: int) -> tuple[float, float]:
    """The smallest and the largest number of an element type."""
    if elem in _FLOAT8:
        return -_FLOAT8[elem], _FLOAT8[elem]
    return _NARROW.get(elem) or _of_integers(elem)


def _of_integers(elem: int) -> tuple[int, int]:
    info = np.iinfo(helper.tensor_dtype_to_np_dtype(elem))
    return int(info.min), int(info.max)


def spread(g: Graph, node: Node, x: str, name: str) -> str:
    """A scale or zero point, one for all, one per place along `axis`, or one per block of it, to multiply with `x`."""
    rank, size = g.rank(x), node.attr("block_size", 0)
    axis = node.attr("axis", 1) % max(rank, 1)
    if size:
        value = g.value(name)
        if value is None:
            raise DynamicShapeError(f"{node.name!r} has blocks of computed scales")
        (length,) = g.sizes(x, [axis])
        return g.derived(
            f"{name}:blocks{size}", lambda: np.repeat(value, size, axis=axis).take(range(length), axis=axis)
        )
    if g.rank(name) == 0 or g.dims(name) == (1,):
        return g.op("Reshape", name, g.ints([])) if g.rank(name) else name
    return g.op("Reshape", name, g.ints(-1 if a == axis else 1 for a in range(rank)))


def is_image(g: Graph, x: str) -> bool:
    """Whether a tensor is the image itself, preprocessed: its darkest pixels are no rectifier's zeros."""
    makers = {o: node for node in g.nodes for o in node.outputs}
    while x in makers and makers[x].op in _PREPROCESSING:
        x = next((i for i in makers[x].inputs if i not in g.constants), "")
    return x == INPUT


def offset(g: Graph, node: Node, x: str, position: int, like: str) -> Any:
    """The zero point as floats of the type of `like`; None if there is none."""
    if not node.has(position):
        return None
    value = g.value(node.inputs[position])
    if value is not None and not value.astype(np.float32).any():
        return None
    return g.op("Cast", spread(g, node, x, node.inputs[position]), to=g.elem(like) or FLOAT)
