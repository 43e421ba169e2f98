"""QAttention: onnxruntime's Attention of a quantised tensor and quantised weights, written out between floats."""

from dataclasses import replace

from ...ir.graph import Graph, Node
from ..fused_operators import expands
from ._attention import attention_of_heads, has_unsupported_options


@expands("QAttention")
def q_attention(g: Graph, node: Node) -> list[str] | None:
    """Inputs: x, weights, bias, scale of x, scale of the weights, a mask, their zero points; no mask, no cache."""
    kernel = g.value(node.inputs[1])
    if kernel is None or has_unsupported_options(node, allowed={0, 1, 2, 3, 4, 6, 7}):
        return None
    x, weights, bias, of_x, of_w, _, zero_x, zero_w = (*node.inputs, "", "", "")[:8]
    hidden = kernel.shape[1] // 3
    operands = (g.op("DequantizeLinear", x, of_x, zero_x), g.op("DequantizeLinear", weights, of_w, zero_w, axis=1))
    q, k, v = g.ops("Split", 3, g.op("Add", g.op("MatMul", *operands), bias), g.ints([hidden] * 3), axis=-1)
    return [attention_of_heads(g, replace(node, inputs=(bias,)), (q, k, v), hidden, 1)]
