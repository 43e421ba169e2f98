"""The derivative of Max and Min: each element's cotangent goes to the input that was selected."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents

__all__ = ["select_cotangents"]


def select_cotangents(g: Graph, node: Node, dy: str) -> Cotangents:
    """dy to the first input that equals the output; at a tie with a constant to that one (as ReLU has it)."""
    (y,) = node.outputs
    order = sorted(range(len(node.inputs)), key=lambda p: node.needs_gradient[p])
    cotangents: list[str | None] = [None] * len(node.inputs)
    left = dy
    zero = g.scalar(0, y)
    for position in order:
        here = g.op("Equal", node.inputs[position], y)
        cotangents[position] = g.op("Where", here, left, zero)
        left = g.op("Where", here, zero, left)
    return cotangents
