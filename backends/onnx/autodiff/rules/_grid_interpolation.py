"""Interpolation along one axis for GridSample: the pixels that a position reads, their weights and slopes.
Cubic weights: Keys 1981, with a = -0.75.
"""

from dataclasses import dataclass

from ...ir.graph import INT64, Graph, Node

__all__ = ["Axis", "Tap"]


@dataclass(frozen=True)
class Tap:
    """Along one axis: which pixel is read (N, 1, P), its weight, and the weight's slope in the grid's unit."""

    pixel: str
    weight: str
    slope: str


class Axis:
    """The pixels and weights along one axis of `size` pixels."""

    def __init__(self, g: Graph, node: Node, size: int) -> None:
        self.g, self.size = g, size
        self.like = node.inputs[1]
        self.mode, self.padding = node.attr("mode"), node.attr("padding_mode")
        self.corners = bool(node.attr("align_corners"))
        self.low, self.high = (0.0, size - 1.0) if self.corners else (-0.5, size - 0.5)

    def op(self, op: str, *inputs: str | float) -> str:
        """Append a node; inputs that are numbers become constants."""
        return self.g.op(op, *(i if isinstance(i, str) else self.g.scalar(i, self.like) for i in inputs))

    def taps(self, grid: str) -> list[Tap]:
        """The pixels that coordinates from -1 to 1, the ends of the axis, read."""
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
            u, turned = self._reflect(u)
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

    def _cubic(self, first: str, f: str, slope: str, step: float) -> Tap:
        """At distance t: (a + 2) t^3 - (a + 3) t^2 + 1 for t up to 1, a (t^3 - 5 t^2 + 8 t - 4) from there to 2."""
        a = -0.75
        c3, c2, c1, c0 = (a + 2, -(a + 3), 0.0, 1.0) if step in (0.0, 1.0) else (a, -5 * a, 8 * a, -4 * a)
        t = self.op("Sub", f, step) if step <= 0 else self.op("Sub", step, f)
        inner = self.op("Add", self.op("Mul", self.op("Add", self.op("Mul", t, c3), c2), t), c1)
        weight = self.op("Add", self.op("Mul", inner, t), c0)
        rise = self.op("Add", self.op("Mul", self.op("Add", self.op("Mul", t, 3 * c3), 2 * c2), t), c1)
        back = self.op("Mul", rise, slope)
        return self._tap(self.op("Add", first, step), weight, back if step <= 0 else self.op("Neg", back))

    def _tap(self, pixel: str, weight: str, slope: str, *, one: bool = False) -> Tap:
        """One read; a pixel outside is reflected or clipped to the axis, or has weight 0."""
        if one:
            weight, slope = self.op("Add", weight, 1.0), weight
        if self.padding == "reflection":
            pixel, _ = self._reflect(pixel)
        elif self.padding == "zeros":
            inside = self._both(self.op("GreaterOrEqual", pixel, 0.0), self.op("LessOrEqual", pixel, self.size - 1.0))
            weight, slope = self.op("Mul", weight, inside), self.op("Mul", slope, inside)
        pixel = self.op("Clip", pixel, 0.0, self.size - 1.0)
        return Tap(self.g.op("Cast", pixel, to=INT64), weight, slope)

    def _reflect(self, u: str) -> tuple[str, str]:
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
