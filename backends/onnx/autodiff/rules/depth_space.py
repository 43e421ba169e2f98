"""DepthToSpace and SpaceToDepth: pixels only move, so dy moves back."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("DepthToSpace")
def depth_to_space(g: Graph, node: Node, dy: str) -> Cotangents:
    """SpaceToDepth undoes mode DCR; CRD, PyTorch's pixel_shuffle, is undone axis by axis."""
    size = node.attr("blocksize")
    if node.attr("mode", "DCR") == "DCR":
        return [g.op("SpaceToDepth", dy, blocksize=size)]
    channels, height, width = g.sizes(node.inputs[0], [1, 2, 3])
    apart = g.op("Reshape", dy, g.ints([-1, channels // size**2, height, size, width, size]))
    return [g.reshape_like(g.op("Transpose", apart, perm=[0, 1, 3, 5, 2, 4]), node.inputs[0])]


@vjp("SpaceToDepth")
def space_to_depth(g: Graph, node: Node, dy: str) -> Cotangents:
    """DepthToSpace in the same mode undoes it; before opset 28 there is but DCR."""
    return [g.op("DepthToSpace", dy, blocksize=node.attr("blocksize"), mode=node.attr("mode", "DCR"))]
