"""The sum of the cotangents of one tensor; cotangents of slices that tile the tensor are concatenated instead.

Slices are q, k and v of one product, or the halves of channels. Their cotangents are padded with zeros to the tensor's
size: one Concat copies each slice once, where the sum would read and write the whole tensor several times.
"""

from collections.abc import Sequence

from ..ir.graph import Graph, Node

__all__ = ["sum_cotangents"]


def sum_cotangents(g: Graph, tensor: str, parts: Sequence[str]) -> str:
    """The sum of cotangents of one tensor."""
    if len(parts) == 1:
        return parts[0]
    pads = [node for part in parts if (node := g.producer(part)) is not None and node.op == "Pad"]
    if len(pads) == len(parts):
        concatenated = _concatenate_slices(g, tensor, pads)
        if concatenated:
            return concatenated
    return g.op("Add" if len(parts) == 2 else "Sum", *parts)


def _concatenate_slices(g: Graph, tensor: str, pads: Sequence[Node]) -> str | None:
    """One Concat if the slices tile one axis without gap or overlap; else None."""
    amounts = [_pad_amounts(g, node) for node in pads]
    axes = {axis for axis, _, _ in amounts}
    axis = axes.pop()
    size = g.dims(tensor)[axis]
    if axes or axis < 0 or not isinstance(size, int):
        return None
    slices = sorted(
        (start, size - after, node.inputs[0]) for (_, start, after), node in zip(amounts, pads, strict=True)
    )
    if [start for start, _, _ in slices] + [size] != [0] + [end for _, end, _ in slices]:
        return None
    return g.op("Concat", *(slice_ for _, _, slice_ in slices), axis=axis)


def _pad_amounts(g: Graph, node: Node) -> tuple[int, int, int]:
    """(axis, zeros before, zeros after) of a Pad with zeros along one axis; axis -1 for any other Pad."""
    pads = g.value(node.inputs[1]) if node.op == "Pad" and len(node.inputs) == 2 else None
    if pads is None or node.attr("mode", "constant") != "constant" or pads.min() < 0:
        return -1, 0, 0
    rank = len(pads) // 2
    axes = [axis for axis in range(rank) if pads[axis] or pads[axis + rank]]
    return (axes[0], int(pads[axes[0]]), int(pads[axes[0] + rank])) if len(axes) == 1 else (-1, 0, 0)
