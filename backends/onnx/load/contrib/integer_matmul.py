"""MatMulIntegerToFloat and DynamicQuantizeMatMul: onnxruntime's forms of a matrix product that is quantised as it runs.

The first is MatMulInteger, a Cast, the product by both scales and a bias; the second quantises its left operand before.
"""

from ...ir.graph import FLOAT, Graph, Node
from ..fused_operators import expands


@expands("MatMulIntegerToFloat")
def matmul_integer_to_float(g: Graph, node: Node) -> list[str]:
    """Inputs: A, B, scale of A, scale of B, their zero points, a bias."""
    a, b, scale, of_b, *rest = (*node.inputs, "", "", "")
    return [_product(g, (a, b), (scale, of_b), (rest[0], rest[1]), rest[2])]


@expands("DynamicQuantizeMatMul")
def dynamic_quantize_matmul(g: Graph, node: Node) -> list[str]:
    """Inputs: A in floats, B, its scale, its zero point, a bias."""
    a, b, of_b, *rest = (*node.inputs, "", "")
    quantised, scale, zero = g.ops("DynamicQuantizeLinear", 3, a)
    return [_product(g, (quantised, b), (scale, of_b), (zero, rest[0]), rest[1])]


def _product(g: Graph, operands: tuple[str, str], scales: tuple[str, str], zeros: tuple[str, str], bias: str) -> str:
    whole = g.op("Cast", g.op("MatMulInteger", *operands, *(zero or None for zero in zeros)), to=FLOAT)
    y = g.op("Mul", whole, g.op("Mul", *scales))
    return g.op("Add", y, bias) if bias else y
