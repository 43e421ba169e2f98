"""Zero padding, in a form that onnxruntime's transpose optimiser handles."""

from collections.abc import Mapping

from ...ir.graph import Graph

__all__ = ["pad_zeros"]


def pad_zeros(g: Graph, x: str, rank: int, amounts: Mapping[int, tuple[int, int]]) -> str:
    """Pad with zeros before and after along these axes; negative amounts crop.

    The Pad lists all axes: onnxruntime's transpose optimiser (seen in 1.31) breaks one that names axes, with the error
    "indices element out of data bounds".

    Args:
        g: the graph to append to.
        x: the tensor.
        rank: its number of axes.
        amounts: (before, after) by axis.
    """
    pads = [0] * (2 * rank)
    for axis, (before, behind) in amounts.items():
        pads[axis], pads[axis + rank] = before, behind
    return g.op("Pad", x, g.ints(pads)) if any(pads) else x
