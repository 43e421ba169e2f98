"""Operators on quantised tensors (onnxruntime's "QOperator" format), as DequantizeLinear, the plain operator, Quantize.

QLinearConv and its like hide a plain operator between integers: expanded, it is a layer, and its gradient is
taken straight through as everywhere. onnxruntime joins the three again when it runs them. In files that it saved at its
highest level channels may stand last; kernels lie as in the standard.
"""

import numpy as np

from ...ir.graph import Graph, Node
from ..fused_operators import expands
from .nhwc import channels_first, channels_last, rank_of

_UNARY = ("QLinearSigmoid", "QLinearLeakyRelu", "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearSoftmax")
_OURS = frozenset({"channels_last", "opset"})


@expands(*_UNARY)
def unary(g: Graph, node: Node) -> list[str] | None:
    """Inputs: x, its scale and zero point, those of y."""
    if node.op == "QLinearSoftmax" and node.attr("opset", 13) < 13:  # it took all axes from `axis` on as one
        rank = rank_of(g, node.inputs[0])
        if node.attr("axis", -1) % rank != rank - 1:
            return None
    return _quantised_operator(g, node, node.inputs[3:5], _float(g, node, 0), of_rank=node.inputs[0])


@expands("QLinearAdd", "QLinearMul")
def binary(g: Graph, node: Node) -> list[str]:
    """Inputs: a and b, each with scale and zero point, those of y."""
    return _quantised_operator(g, node, node.inputs[6:8], _float(g, node, 0), _float(g, node, 3))


@expands("QLinearWhere")
def where(g: Graph, node: Node) -> list[str]:
    """Inputs: truths, then x and y, each with scale and zero point, those of what is chosen."""
    return _quantised_operator(g, node, node.inputs[7:9], node.inputs[0], _float(g, node, 1), _float(g, node, 4))


@expands("QLinearMatMul")
def matmul(g: Graph, node: Node) -> list[str]:
    """As `binary`; a scale for each column of b."""
    return _quantised_operator(g, node, node.inputs[6:8], _float(g, node, 0), _float(g, node, 3, axis=-1))


@expands("QLinearConcat")
def concat(g: Graph, node: Node) -> list[str]:
    """Inputs: scale and zero point of y, then each part with its own."""
    return _quantised_operator(g, node, node.inputs[:2], *(_float(g, node, p) for p in range(2, len(node.inputs), 3)))


@expands("QLinearConv")
def conv(g: Graph, node: Node) -> list[str] | None:
    """Inputs: x and w, each with scale and zero point, scale and zero point of y, the bias in steps of both scales."""
    bias = _bias(g, node, 8)
    if bias is None:
        return None
    return _quantised_operator(
        g, node, node.inputs[6:8], _float(g, node, 0), _float(g, node, 3, axis=0), *bias, of_rank=node.inputs[3]
    )


@expands("QGemm")
def gemm(g: Graph, node: Node) -> list[str] | None:
    """Inputs: a and b, each with scale and zero point, the bias in steps of both scales, those of y if any."""
    bias = _bias(g, node, 6)
    if bias is None or node.attr("alpha", 1.0) != 1:
        return None
    b = _float(g, node, 3, axis=0 if node.attr("transB", 0) else 1)
    return _quantised_operator(g, node, node.inputs[7:9], _float(g, node, 0), b, *bias)


def _float(g: Graph, node: Node, position: int, axis: int | None = None) -> str:
    return g.op("DequantizeLinear", *node.inputs[position : position + 3], axis=axis)


def _bias(g: Graph, node: Node, position: int) -> list[str] | None:
    """The bias as floats, ahead of time; none if there is none, None if it or its scale is computed."""
    if not node.has(position):
        return []
    name = node.inputs[position]
    values = [g.value(i) for i in (name, node.inputs[1], node.inputs[4])]
    if any(v is None for v in values):
        return None
    steps, of_x, of_w = (np.asarray(v, np.float32) for v in values)
    return [g.derived_constant(f"{name}:float:{node.outputs[0]}", lambda: steps * of_x.reshape(()) * of_w.reshape(-1))]


def _quantised_operator(g: Graph, node: Node, of_y: tuple[str, ...], *operands: str, of_rank: str = "") -> list[str]:
    """The plain operator between floats; where channels stand last, turned by the rank of the tensor `of_rank`."""
    op = node.op.removeprefix("QLinear").removeprefix("Q")
    kept = {key: node.attr(key) for key in node.attributes if key not in _OURS}
    if node.attr("channels_last", 0):
        rank = rank_of(g, of_rank)
        y = channels_last(g, g.op(op, channels_first(g, operands[0], rank), *operands[1:], **kept), rank)
    else:
        y = g.op(op, *operands, **kept)
    return [g.op("QuantizeLinear", y, *of_y) if of_y and of_y[0] else y]
