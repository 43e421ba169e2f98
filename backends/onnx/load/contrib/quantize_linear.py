"""QuantizeLinear and DequantizeLinear of onnxruntime's own: the standard's, for bytes.

Sixteen bits, which the standard has from opset 21 on, are left alone before.
"""

from onnx import TensorProto

from ...ir.graph import Graph, Node
from ..fused_operators import expands, first_typed

_WIDE = frozenset({TensorProto.UINT16, TensorProto.INT16})


@expands("QuantizeLinear", "DequantizeLinear")
def quantize(g: Graph, node: Node) -> list[str] | None:
    """The zero point, or the tensor to dequantise, says how many bits; there is one by default, of unsigned bytes."""
    typed = node.inputs[2] if node.has(2) else node.inputs[0]
    if (node.has(2) or node.op == "DequantizeLinear") and g.elem(first_typed(g, typed)) in _WIDE and g.opsets[""] < 21:
        return None
    return [g.op(node.op, *node.inputs, axis=node.attr("axis", 1))]
