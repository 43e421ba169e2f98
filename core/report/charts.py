"""Charts as inline SVG with a logarithmic axis: the difference of every image, and the error of every layer."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, isfinite, log10

from ..alignment.divergence import Divergence
from .markup import Markup, element

__all__ = ["Lane", "error_curve", "strips"]

_WIDTH = 960
_SMALLEST = 1e-9
"""Smaller values, zero too, stand at the end of the axis."""


class Axis:
    """A logarithmic axis over whole decades, from one coordinate of the drawing to another."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        finite = [max(v, _SMALLEST) for v in values if isfinite(v)] or [1.0]
        self.low, self.high = floor(log10(min(finite))), max(ceil(log10(max(finite))), floor(log10(min(finite))) + 1)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        """The coordinate of a value; that of the upper end for one that is not finite."""
        decade = log10(max(value, _SMALLEST)) if isfinite(value) else self.high
        share = (min(max(decade, self.low), self.high) - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[tuple[float, str]]:
        """Coordinate and label of at most eight decades."""
        spacing = -(-(self.high - self.low) // 7)
        return [(self(10.0**p), f"1e{p}") for p in range(self.low, self.high + 1, spacing)]


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _text(x: float, y: float, text: str, anchor: str = "start", class_: str | None = None) -> Markup:
    return element("text", text, x=x, y=y, text_anchor=anchor, class_=class_)


def _svg(label: str, height: float, parts: Sequence[str]) -> Markup:
    drawing = element("svg", *parts, viewBox=f"0 0 {_WIDTH} {height}", role="img", aria_label=label)
    return element("div", drawing, class_="chart scroll", role="region", aria_label=label, tabindex=0)


class Lane:
    """One row of a strip chart: a point for each image, and marks at the rounding noise and the limit."""

    def __init__(self, name: str, points: Sequence[tuple[float, str, int]], noise: float | None, limit: float) -> None:
        self.name, self.points, self.noise, self.limit = name, points, noise, limit


def strips(label: str, lanes: Sequence[Lane]) -> Markup:
    """A strip chart with a lane for each method and pair of models."""
    row, left = 40, 12
    height = row * len(lanes) + 36
    values = [v for lane in lanes for v in (*(p[0] for p in lane.points), lane.noise or lane.limit, lane.limit)]
    axis = Axis(values, left, _WIDTH - 16)
    parts = [_line(x, 8, x, height - 22, "grid") for x, _ in axis.ticks()]
    parts += [_text(x, height - 6, name, "middle") for x, name in axis.ticks()]
    for n, lane in enumerate(lanes):
        parts += _lane(lane, axis, row * n + 30)
    return _svg(label, height, parts)


def _lane(lane: Lane, axis: Axis, y: float) -> list[Markup]:
    parts = [_text(12, y - 12, lane.name, class_="name"), _line(12, y, _WIDTH - 16, y, "lane")]
    parts.append(element("g", element("title", f"limit {lane.limit:.2g}"), _bar(axis(lane.limit), y, "limit")))
    if lane.noise is not None:
        title = f"what rounding alone does: {lane.noise:.2g}"
        parts.append(element("g", element("title", title), _bar(axis(lane.noise), y, "noise")))
    for value, title, index in lane.points:
        dot = element("circle", element("title", f"{title}: {value:.2e}"), cx=axis(value), cy=y, r=4)
        parts.append(element("a", dot, href=f"#picture-{index}", tabindex=-1))
    return parts


def _bar(x: float, y: float, class_: str) -> Markup:
    return _line(x, y - 9, x, y + 9, class_)


def error_curve(divergence: Divergence) -> Markup:
    """The error up to each layer, what it adds, and what rounding may add; the first fault is marked."""
    left, top, bottom = 46, 16, 250
    steps = divergence.steps
    axis = Axis((v for s in steps for v in (s.error, s.own, s.noise)), bottom, top)
    xs = [round(left + i * (_WIDTH - left - 16) / max(len(steps) - 1, 1), 1) for i in range(len(steps))]
    parts = [_line(left, y, _WIDTH - 16, y, "grid") for y, _ in axis.ticks()]
    parts += [_text(left - 6, y + 4, name, "end") for y, name in axis.ticks()]
    parts += [_text(left, bottom + 20, "image"), _text(_WIDTH - 16, bottom + 20, "output", "end")]
    for kind, values in (("noise", [s.noise for s in steps]), ("own", [s.own for s in steps])):
        parts.append(_polyline(xs, [axis(v) for v in values], kind))
    parts.append(_polyline(xs, [axis(s.error) for s in steps], "error"))
    for x, step in zip(xs, steps, strict=True):
        title = (
            f"{step.a} and {step.b}: error {step.error:.2e}, of its own {step.own:.2e}, by rounding {step.noise:.2e}"
        )
        parts.append(element("circle", element("title", title), cx=x, cy=axis(step.error), r=4, class_="error"))
        if step == divergence.first:
            anchor = "end" if x > _WIDTH / 2 else "start"
            parts += [_line(x, top, x, bottom, "first"), _text(x, top - 3, f"first: {step.a}", anchor, "first")]
    a, b = divergence.models
    return _svg(f"Error of {b} against {a}, layer by layer. {divergence.text}", bottom + 28, parts)


def _polyline(xs: Sequence[float], ys: Sequence[float], class_: str) -> Markup:
    return element("polyline", points=" ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True)), class_=class_)
