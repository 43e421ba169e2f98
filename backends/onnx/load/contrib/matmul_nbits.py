"""MatMulNBits: A B' of weights in 2, 4 or 8 bits, with a scale and a zero point for each block along the features.

The weights are written out as floats, so the product is of floats too: `accuracy_level` lets onnxruntime round A.
"""

from typing import Any

import numpy as np

from ...ir.graph import Graph, Node
from ..fused_operators import expands

Values = np.ndarray[Any, Any]


@expands("MatMulNBits")
def matmul_nbits(g: Graph, node: Node) -> list[str] | None:
    """Inputs: A, packed weights (N, blocks, bytes), scales (N blocks), zero points, an order of features, a bias."""
    a, packed, scales, zeros, order, bias = (*node.inputs, "", "", "")[:6]
    values = [g.value(name) for name in (packed, scales, *([zeros] if zeros else []))]
    if order or node.attr("weight_prepacked", 0) or any(value is None for value in values):
        return None
    given = [value for value in values if value is not None]
    y = g.op("MatMul", a, g.derived_constant(f"{packed}:floats:{scales}", lambda: _floats(node, *given)))
    return [g.op("Add", y, bias) if bias else y]


def _floats(node: Node, packed: Values, scales: Values, zeros: Values | None = None) -> Values:
    """Shape (K, N), in the type of the scales."""
    bits, rows, features = node.attr("bits", 4), node.attr("N"), node.attr("K")
    blocks = -(-features // node.attr("block_size"))
    steps = _unpack(packed.reshape(rows, blocks, -1), bits, node.attr("block_size")).astype(np.float32)
    middle: Any = 2 ** (bits - 1)
    if zeros is not None:
        apart = zeros.astype(np.float32) if zeros.dtype != np.uint8 else _unpack(zeros.reshape(rows, -1), bits, blocks)
        middle = apart.reshape(rows, blocks, 1)
    wide: Values = (steps - middle) * scales.reshape(rows, blocks, 1).astype(np.float32)
    return wide.reshape(rows, -1)[:, :features].T.astype(scales.dtype)


def _unpack(packed: Values, bits: int, count: int) -> Values:
    """Numbers of so many bits, the lowest bits of each byte first, the first `count` along the last axis."""
    each: Values = (packed[..., None] >> np.arange(0, 8, bits, dtype=np.uint8)) & (2**bits - 1)
    return each.reshape(*packed.shape[:-1], -1)[..., :count]
