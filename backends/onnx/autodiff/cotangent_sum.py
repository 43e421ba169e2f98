"""Adding up cotangents: where each is a piece of the tensor with zeros around it, they are joined instead.

So it is with q, k and v cut from one product, or channels split in halves: a Concat copies each piece once, while zeros
around every piece and their sum move the whole tensor several times.
"""

from collections.abc import Sequence

from ..ir.graph import Graph, Node

__all__ = ["added"]


def added(g: Graph, tensor: str, parts: Sequence[str]) -> str:
    """The sum of cotangents of one tensor."""
    if len(parts) == 1:
        return parts[0]
    made_by = {o: node for node in g.nodes[::-1] if node.op == "Pad" for o in node.outputs if o in parts}
    if len(made_by) == len(parts):
        joined = _joined(g, tensor, [made_by[part] for part in parts])
        if joined:
            return joined
    return g.op("Add" if len(parts) == 2 else "Sum", *parts)


def _joined(g: Graph, tensor: str, pads: Sequence[Node]) -> str | None:
    """One Concat, if the pieces lie side by side along one axis and fill it; else None."""
    places = [_place(g, node) for node in pads]
    axes = {axis for axis, _, _ in places}
    axis = axes.pop()
    size = g.dims(tensor)[axis]
    if axes or axis < 0 or not isinstance(size, int):
        return None
    pieces = sorted((start, size - after, node.inputs[0]) for (_, start, after), node in zip(places, pads, strict=True))
    if [start for start, _, _ in pieces] + [size] != [0] + [end for _, end, _ in pieces]:
        return None
    return g.op("Concat", *(piece for _, _, piece in pieces), axis=axis)


def _place(g: Graph, node: Node) -> tuple[int, int, int]:
    """Axis, zeros before and zeros after, of a Pad by zeros along one axis; axis -1 for any other."""
    pads = g.value(node.inputs[1]) if node.op == "Pad" and len(node.inputs) == 2 else None
    if pads is None or node.attr("mode", "constant") != "constant" or pads.min() < 0:
        return -1, 0, 0
    rank = len(pads) // 2
    axes = [axis for axis in range(rank) if pads[axis] or pads[axis + rank]]
    return (axes[0], int(pads[axes[0]]), int(pads[axes[0] + rank])) if len(axes) == 1 else (-1, 0, 0)
