"""GridSample: y is x read between pixels, so dx adds dy to the pixels read, each with its weight.

The weights are products of one per axis; their slopes give the gradient to the grid (0 for nearest, a staircase).
Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025; cubic weights: Keys 1981, with a = -0.75.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod

from ..graph import INT64, Graph, Node
from ..registry import Cotangents, vjp


@dataclass(frozen=True)
class _Tap:
    """Along one axis: which pixel is read (N, 1, P), its weight, and the weight's slope in the grid's unit."""

    pixel: str
    weight: str
    slope: str


@vjp("GridSample", since=16)
def grid_sample(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, *in), grid (N, *out, r), dy (N, C, *out); P positions of *out, r axes, the last one first."""
    x, grid = node.inputs
    sizes = g.sizes(x)
    rank = len(sizes)
    parts = g.ops("Split", rank, g.op("Reshape", grid, g.ints([0, -1, rank])), axis=2, num_outputs=rank)
    axes = [
        _Axis(g, node, size).taps(g.op("Reshape", part, g.ints([0, 1, -1])))
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
    dx = g.reshape_like(g.op("ScatterElements", zeros, pixels, updates, axis=2, reduction="add"), x)
    if not node.wants[1] or node.attr("mode") == "nearest":
        return [dx, None]
    read = g.op("GatherElements", g.op("Reshape", x, flat), pixels, axis=2)
    share = g.op("ReduceSum", g.op("Mul", read, g.op("Concat", *[rows] * len(reads), axis=2)), g.ints([1]), keepdims=1)
    slopes = [_along(g, share, reads, axis) for axis in reversed(range(rank))]
    return [dx, g.reshape_like(g.op("Concat", *slopes, axis=2), grid)]


def _product(g: Graph, factors: list[str]) -> str:
    return reduce(lambda a, b: g.op("Mul", a, b), factors)


def _flat(g: Graph, taps: tuple[_Tap, ...], sizes: tuple[int, ...]) -> str:
    """The number of a pixel in its channel."""
    steps = [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    terms = [g.op("Mul", tap.pixel, g.const(step)) for tap, step in zip(taps, steps, strict=True)]
    return reduce(lambda a, b: g.op("Add", a, b), terms)


def _along(g: Graph, share: str, reads: list[tuple[_Tap, ...]], axis: int) -> str:
    """What flows to one coordinate of the grid, (N, P, 1)."""
    weights = [_product(g, [tap.slope if a == axis else tap.weight for a, tap in enumerate(taps)]) for taps in reads]
    each = g.op("Reshape", g.op("Mul", share, g.op("Concat", *weights, axis=2)), g.ints([0, len(reads), -1]))
    return g.op("Unsqueeze", g.op("ReduceSum", each, g.ints([1]), keepdims=0), g.ints([2]))


class _Axis:
    """Where and how strongly one axis of `size` pixels is read."""

    def __init__(self, g: Graph, node: Node, size: int) -> None:
        self.g, self.size = g, size
        self.like = node.inputs[1]
        self.mode, self.padding = node.attr("mode"), node.attr("padding_mode")
        self.corners = bool(node.attr("align_corners"))
        self.low, self.high = (0.0, size - 1.0) if self.corners else (-0.5, size - 0.5)

    def op(self, op: str, *inputs: str | float) -> str:
        """A node of which some inputs are plain numbers."""
        return self.g.op(op, *(i if isinstance(i, str) else self.g.scalar(i, self.like) for i in inputs))

    def taps(self, grid: str) -> list[_Tap]:
        """The pixels read at coordinates from -1 to 1, the axis' ends."""
        scale = (self.high - self.low) / 2
        u = self.op("Add", self.op("Mul", self.op("Add", grid, 1.0), scale), self.low)
        slope = self.op("Expand", scale, self.g.op("Shape", grid))
        if self.mode == "nearest":
            return [self._tap(self.op("Round", u), self.op("Sub", slope, slope), slope, one=True)]
        cubic = self.mode in {"bicubic", "cubic"}
        if self.padding == "border" and not cubic:
            inside = self._both(self.op("GreaterOrEqual", u, 0.0), self.op("LessOrEqual", u, self.size - 1.0))
            u, slope = self.op("Clip", u, 0.0, self.size - 1.0), self.op("Mul", slope, inside)
        elif self.padding == "reflection" and not cubic:
            u, turned = self._reflected(u)
            slope = self.op("Mul", slope, turned)
        first = self.op("Floor", u)
        f = self.op("Sub", u, first)
        if not cubic:
            return [
                self._tap(first, self.op("Sub", 1.0, f), self.op("Neg", slope)),
                self._tap(self.op("Add", first, 1.0), f, slope),
            ]
        return [self._cubic(first, f, slope, step) for step in (-1.0, 0.0, 1.0, 2.0)]

    def _both(self, a: str, b: str) -> str:
        return self.g.op("Cast", self.g.op("And", a, b), to=self.g.elem(self.like))

    def _cubic(self, first: str, f: str, slope: str, step: float) -> _Tap:
        """At distance t: (a + 2) t^3 - (a + 3) t^2 + 1 for t up to 1, a (t^3 - 5 t^2 + 8 t - 4) from there to 2."""
        a = -0.75
        c3, c2, c1, c0 = (a + 2, -(a + 3), 0.0, 1.0) if step in (0.0, 1.0) else (a, -5 * a, 8 * a, -4 * a)
        t = self.op("Sub", f, step) if step <= 0 else self.op("Sub", step, f)
        inner = self.op("Add", self.op("Mul", self.op("Add", self.op("Mul", t, c3), c2), t), c1)
        weight = self.op("Add", self.op("Mul", inner, t), c0)
        rise = self.op("Add", self.op("Mul", self.op("Add", self.op("Mul", t, 3 * c3), 2 * c2), t), c1)
        back = self.op("Mul", rise, slope)
        return self._tap(self.op("Add", first, step), weight, back if step <= 0 else self.op("Neg", back))

    def _tap(self, pixel: str, weight: str, slope: str, *, one: bool = False) -> _Tap:
        """Pixels outside are brought in, or weigh nothing."""
        if one:
            weight, slope = self.op("Add", weight, 1.0), weight
        if self.padding == "reflection":
            pixel, _ = self._reflected(pixel)
        elif self.padding == "zeros":
            inside = self._both(self.op("GreaterOrEqual", pixel, 0.0), self.op("LessOrEqual", pixel, self.size - 1.0))
            weight, slope = self.op("Mul", weight, inside), self.op("Mul", slope, inside)
        pixel = self.op("Clip", pixel, 0.0, self.size - 1.0)
        return _Tap(self.g.op("Cast", pixel, to=INT64), weight, slope)

    def _reflected(self, u: str) -> tuple[str, str]:
        """u folded at both ends, and 1 or -1, which way it runs there."""
        span = self.high - self.low
        if span == 0:
            flat = self.op("Mul", u, 0.0)
            return flat, flat
        off = self.op("Sub", u, self.low)
        far = self.op("Abs", off)
        turns = self.op("Floor", self.op("Div", far, 2 * span))
        left = self.op("Sub", self.op("Sub", far, self.op("Mul", turns, 2 * span)), span)
        folded = self.op("Sub", self.high, self.op("Abs", left))
        return folded, self.op("Neg", self.op("Mul", self.op("Sign", off), self.op("Sign", left)))
