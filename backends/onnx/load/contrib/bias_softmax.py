"""BiasSoftmax: Softmax of data + bias along the last axis."""

from ...ir.graph import Graph, Node
from ..fused_operators import UnknownTypeError, expands


@expands("BiasSoftmax")
def bias_softmax(g: Graph, node: Node) -> list[str] | None:
    """onnxruntime fuses an Add that broadcasts as the standard does; a softmax over several axes is left alone."""
    data, bias = node.inputs
    if data not in g.types or g.types[data].dims is None:
        raise UnknownTypeError(f"the rank of {data!r} is not known")
    if node.attr("axis", 1) not in {-1, g.rank(data) - 1}:
        return None
    return [g.op("Softmax", g.op("Add", data, bias), axis=-1)]
