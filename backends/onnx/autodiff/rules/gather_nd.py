"""GatherND: y takes slices of x at tuples of indices; each slice gets the sum of the cotangents of its copies."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._scatter_add import scatter_add


@vjp("GatherND", since=11)
def gather_nd(g: Graph, node: Node, dy: str) -> Cotangents:
    """ScatterND that adds; it knows no batch axes, so their own numbers are put in front of each tuple."""
    x, indices = node.inputs
    batch = node.attr("batch_dims")
    if batch:
        indices = _with_batch(g, x, indices, batch)
    return [scatter_add(g, g.zeros_like(x), indices, dy, None), None]


def _with_batch(g: Graph, x: str, indices: str, batch: int) -> str:
    """(B..., I..., k) to (B..., I..., batch + k)."""
    rank = g.rank(indices)
    first = g.op("Slice", indices, g.ints([0]), g.ints([1]), g.ints([-1]))
    zero = g.op("Sub", first, first)
    own = [g.op("Add", zero, _numbers(g, x, axis, rank)) for axis in range(batch)]
    return g.op("Concat", *own, indices, axis=-1)


def _numbers(g: Graph, x: str, axis: int, rank: int) -> str:
    """0, 1, ... along one axis, shaped to broadcast over `rank` axes."""
    size = g.op("Shape", x, start=axis, end=axis + 1)
    numbers = g.op("Range", g.const(0), g.op("Squeeze", size), g.const(1))
    return g.op("Reshape", numbers, g.ints(-1 if a == axis else 1 for a in range(rank)))
