"""ReverseSequence: the start of each row is turned round; so is that of dy."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("ReverseSequence", since=10)
def reverse_sequence(g: Graph, node: Node, dy: str) -> Cotangents:
    """The operator undoes itself."""
    how = {"batch_axis": node.attr("batch_axis"), "time_axis": node.attr("time_axis")}
    return [g.op("ReverseSequence", dy, node.inputs[1], **how), None]
