"""GridSample: y is x read between pixels, so dx adds dy to the pixels read, each with its weight.

The weights are products of one per axis; their slopes give the gradient to the grid (0 for nearest, a staircase).
Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025.
"""

from functools import reduce
from itertools import product
from math import prod

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._grid_interpolation import Axis, Tap
from ._scatter_add import scatter_add


@vjp("GridSample", since=16)
def grid_sample(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, *in), grid (N, *out, r), dy (N, C, *out); P positions of *out, r axes, the last one first."""
    x, grid = node.inputs
    sizes = g.sizes(x)
    rank = len(sizes)
    parts = g.ops("Split", rank, g.op("Reshape", grid, g.ints([0, -1, rank])), axis=2, num_outputs=rank)
    axes = [
        Axis(g, node, size).taps(g.op("Reshape", part, g.ints([0, 1, -1])))
        for size, part in zip(sizes, reversed(parts), strict=True)
    ]
    reads = list(product(*axes))
    rows = g.op("Reshape", dy, g.ints([0, 0, -1]))
    weights = [_product(g, [tap.weight for tap in taps]) for taps in reads]
    updates = g.op("Concat", *(g.op("Mul", rows, weight) for weight in weights), axis=2)
    pixels = g.op("Concat", *(_flat(g, taps, sizes) for taps in reads), axis=2)
    pixels = g.op("Expand", pixels, g.op("Shape", updates))
    flat = g.ints([0, 0, -1])
    zeros = g.op("Reshape", g.zeros_like(x), flat)
    dx = g.reshape_like(scatter_add(g, zeros, pixels, updates, 2), x)
    if not node.needs_gradient[1] or node.attr("mode") == "nearest":
        return [dx, None]
    read = g.op("GatherElements", g.op("Reshape", x, flat), pixels, axis=2)
    share = g.op("ReduceSum", g.op("Mul", read, g.op("Concat", *[rows] * len(reads), axis=2)), g.ints([1]), keepdims=1)
    slopes = [_along(g, share, reads, axis) for axis in reversed(range(rank))]
    return [dx, g.reshape_like(g.op("Concat", *slopes, axis=2), grid)]


def _product(g: Graph, factors: list[str]) -> str:
    return reduce(lambda a, b: g.op("Mul", a, b), factors)


def _flat(g: Graph, taps: tuple[Tap, ...], sizes: tuple[int, ...]) -> str:
    """The number of a pixel in its channel."""
    steps = [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    terms = [g.op("Mul", tap.pixel, g.const(step)) for tap, step in zip(taps, steps, strict=True)]
    return reduce(lambda a, b: g.op("Add", a, b), terms)


def _along(g: Graph, share: str, reads: list[tuple[Tap, ...]], axis: int) -> str:
    """What flows to one coordinate of the grid, (N, P, 1)."""
    weights = [_product(g, [tap.slope if a == axis else tap.weight for a, tap in enumerate(taps)]) for taps in reads]
    each = g.op("Reshape", g.op("Mul", share, g.op("Concat", *weights, axis=2)), g.ints([0, len(reads), -1]))
    return g.op("Unsqueeze", g.op("ReduceSum", each, g.ints([1]), keepdims=0), g.ints([2]))
