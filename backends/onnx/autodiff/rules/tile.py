"""Tile: y repeats x along each axis, so dx is dy summed over the copies."""

from ...ir.graph import DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp


@vjp("Tile", since=6)
def tile(g: Graph, node: Node, dy: str) -> Cotangents:
    """dy with each axis taken apart into (copies, size), summed over copies."""
    x, repeats = node.inputs
    times, dims = g.value(repeats), g.dims(x)
    if times is None or sum(isinstance(d, str) for d in dims) > 1:
        raise DynamicShapeError(f"{node.name!r} repeats {dims} as often as is computed")
    apart = [n for t, d in zip(times.tolist(), dims, strict=True) for n in (t, -1 if isinstance(d, str) else d)]
    split = g.op("Reshape", dy, g.ints(apart))
    return [g.op("ReduceSum", split, g.ints(range(0, len(apart), 2)), keepdims=0), None]
