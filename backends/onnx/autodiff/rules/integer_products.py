"""ConvInteger and MatMulInteger: Conv and MatMul of (a - zero of a) and (b - zero of b), with the rules of these.

Integers count as numbers here, behind a quantisation that is taken straight through; zero points count as constants.
"""

from dataclasses import replace

from ...ir.graph import FLOAT, Graph, Node, Type
from ..registry import Cotangents, rule_for, vjp


@vjp("ConvInteger", "MatMulInteger", since=10, approximate="straight through")
def integer_product(g: Graph, node: Node, dy: str) -> Cotangents:
    """Both operands as floats, constant ones ahead of time."""
    op = node.op.removesuffix("Integer")
    operands = tuple(_minus_zero_point(g, node, position, op) for position in (0, 1))
    plain = replace(node, op=op, inputs=operands, needs_gradient=node.needs_gradient[:2])
    rule = rule_for(plain)
    assert rule is not None
    assert rule.derivative is not None
    return [*rule.derivative(g, plain, dy), None, None][: len(node.inputs)]


def _minus_zero_point(g: Graph, node: Node, position: int, op: str) -> str:
    name, zero = node.inputs[position], node.inputs[position + 2] if node.has(position + 2) else ""
    value, offset = g.value(name), g.value(zero) if zero else None
    per_row = (op == "Conv") == (position == 1)  # of a kernel's outputs, or of a matrix' rows
    if value is not None and (offset is not None or not zero):
        shape = (-1, *(1,) * (value.ndim - 1)) if per_row else (-1,)
        less = 0 if offset is None else offset.astype("float32").reshape(shape if offset.size > 1 else ())
        return g.derived_constant(f"{name}:centred:{zero}", lambda: value.astype("float32") - less)
    floats = g.op("Cast", name, to=FLOAT)
    if zero:
        floats = g.op(
            "Sub", floats, g.op("Reshape", g.op("Cast", zero, to=FLOAT), g.ints(_sides(g, zero, name, per_row)))
        )
    g.types[floats] = Type(FLOAT, g.dims(name))
    return floats


def _sides(g: Graph, zero: str, name: str, per_row: bool) -> list[int]:
    if g.dims(zero) in {(), (1,)}:
        return []
    rank = g.rank(name)
    if not per_row:
        return [-1]
    return [-1, *(1,) * (rank - 1)] if rank != 2 else [-1, 1]
