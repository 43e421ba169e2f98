"""Pad: dy is cut back, what was cut off by negative pads gets zeros; a computed constant gets the sum over the border.

In the modes that repeat x, each copy's dy is added to its source.
"""

from typing import Any

import numpy as np
from onnx import helper

from ...ir.graph import DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp
from ._zero_padding import pad_zeros


@vjp("Pad", since=11)
def pad(g: Graph, node: Node, dy: str) -> Cotangents:
    """Padding by the negative amounts."""
    x = node.inputs[0]
    amounts = g.value(node.inputs[1])
    axes = g.value(node.inputs[3]) if node.has(3) else np.arange(g.rank(x))
    if amounts is None or axes is None:
        raise DynamicShapeError(f"{node.name!r} pads by what is computed")
    if node.attr("mode", "constant") != "constant":
        return [_fold_back(g, node, dy, amounts, axes % g.rank(x))]
    rank, both = g.rank(x), amounts.reshape(2, -1).T.tolist()
    around = {int(axis) % rank: (before, behind) for axis, (before, behind) in zip(axes, both, strict=True)}
    dx = pad_zeros(g, dy, rank, {axis: (-before, -behind) for axis, (before, behind) in around.items()})
    if not node.has(2) or not node.needs_gradient[2]:
        return [dx]
    inner = pad_zeros(g, dx, rank, around)
    border = g.op("ReduceSum", g.op("Sub", dy, inner), keepdims=0)
    return [dx, None, g.reshape_like(border, node.inputs[2])]


def _fold_back(g: Graph, node: Node, dy: str, amounts: np.ndarray[Any, Any], axes: np.ndarray[Any, Any]) -> str:
    """Modes that repeat x: along each axis, a product with the matrix that adds each copy to its source."""
    x, rank, half = node.inputs[0], g.rank(node.inputs[0]), len(amounts) // 2
    for axis, before, after in zip(axes.tolist(), amounts[:half].tolist(), amounts[half:].tolist(), strict=True):
        if before == after == 0:
            continue
        size = g.sizes(x, [axis])[0]
        mode = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}[node.attr("mode")]
        source = np.pad(np.arange(size), (max(before, 0), max(after, 0)), mode=mode)  # type: ignore[call-overload]
        source = source[max(-before, 0) : len(source) - max(-after, 0)]
        matrix = g.const(np.eye(size)[source], helper.tensor_dtype_to_np_dtype(g.elem(x)))
        last = [a for a in range(rank) if a != axis] + [axis]
        turned = g.op("MatMul", g.op("Transpose", dy, perm=last), matrix)
        dy = g.op("Transpose", turned, perm=[last.index(a) for a in range(rank)])
    return dy
