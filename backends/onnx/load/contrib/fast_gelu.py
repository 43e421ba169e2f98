"""FastGelu: x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, of x + b where there is a bias."""

from math import pi, sqrt

from ...ir.graph import Graph, Node
from ..fused_operators import expands, first_typed


@expands("FastGelu")
def fast_gelu(g: Graph, node: Node) -> list[str]:
    """The standard has it from opset 20 on."""
    typed = first_typed(g, *(i for i in node.inputs if i))
    x = g.op("Add", *node.inputs) if node.has(1) else node.inputs[0]
    if g.opsets.get("", 18) >= 20:
        return [g.op("Gelu", x, approximate="tanh")]
    one, half, slope, cubic = (g.scalar(v, typed) for v in (1, 0.5, sqrt(2 / pi), sqrt(2 / pi) * 0.044715))
    inner = g.op("Mul", x, g.op("Add", g.op("Mul", g.op("Mul", x, x), cubic), slope))
    return [g.op("Mul", g.op("Mul", x, g.op("Add", g.op("Tanh", inner), one)), half)]
