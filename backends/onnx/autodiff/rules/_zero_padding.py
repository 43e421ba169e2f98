"""Zeros around a tensor, written so that onnxruntime can move Transposes across."""

from collections.abc import Mapping

from ...ir.graph import Graph

__all__ = ["pad_zeros"]


def pad_zeros(g: Graph, x: str, rank: int, amounts: Mapping[int, tuple[int, int]]) -> str:
    """Zeros before and behind along these axes, negative amounts cut off.

    The amounts of all axes are written down: a Pad that names its axes is broken by onnxruntime's transpose optimiser
    (seen in 1.31: "indices element out of data bounds").
    """
    pads = [0] * (2 * rank)
    for axis, (before, behind) in amounts.items():
        pads[axis], pads[axis + rank] = before, behind
    return g.op("Pad", x, g.ints(pads)) if any(pads) else x
