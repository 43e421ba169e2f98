"""Operators that onnxruntime had before the standard did: GridSample, Trilu, Pad."""

from ...ir.graph import Graph, Node
from ..fused_operators import expands

_NEWER = {"bilinear": "linear", "bicubic": "cubic"}
"""GridSample's modes got other names in opset 20."""


@expands("GridSample")
def grid_sample(g: Graph, node: Node) -> list[str]:
    """Of maps at places from -1 to 1."""
    mode = node.attr("mode", "bilinear")
    how = {"align_corners": node.attr("align_corners", 0), "padding_mode": node.attr("padding_mode", "zeros")}
    return [g.op("GridSample", *node.inputs, mode=_NEWER.get(mode, mode) if g.opsets[""] >= 20 else mode, **how)]


@expands("Trilu")
def trilu(g: Graph, node: Node) -> list[str]:
    """Inputs: x and which diagonal."""
    return [g.op("Trilu", *node.inputs, upper=node.attr("upper", 1))]


@expands("Pad")
def pad(g: Graph, node: Node) -> list[str]:
    """Inputs: x, how much on each side, and a value, which may have an axis."""
    x, pads, *value = node.inputs
    values = [g.op("Reshape", v, g.ints([])) for v in value if v]
    return [g.op("Pad", x, g.op("Reshape", pads, g.ints([-1])), *values, mode=node.attr("mode", "constant"))]
