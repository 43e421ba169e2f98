"""Normalisations h = (x - mean) / deviation in one form for all operators, and norms="stop".

With "stop" the deviation is a constant for the gradient, the mean is not: dx = (dh - mean(dh)) / deviation. Where a
normalisation is written out, no gradient passes a square root or a power of 1/2 or -1/2.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from ...ir.graph import DOUBLE, FLOAT, Graph, Node, Type
from ..registry import Cotangents, Rule
from ..rules.lrn import lrn_denominator

__all__ = ["Moments", "moments_of", "stopped_cotangents"]


@dataclass(frozen=True)
class Moments:
    """h = (x - mean) / sqrt(v + epsilon) over some axes, v the mean or the sum of squares."""

    x: str
    """Reshaped so that the axes are the last, in float32 or float64."""
    dh: str
    axes: str
    centred: bool
    epsilon: float
    total: bool = False
    """Whether v is the sum of squares, not the mean."""

    def centre(self, g: Graph) -> str:
        """x - mean."""
        return g.op("Sub", self.x, g.op("ReduceMean", self.x, self.axes, keepdims=1)) if self.centred else self.x

    def deviation(self, g: Graph, centre: str) -> str:
        """sqrt(v + epsilon), with the axes as ones; infinite where it is 0."""
        square = g.op("ReduceSum" if self.total else "ReduceMean", g.op("Mul", centre, centre), self.axes, keepdims=1)
        if self.epsilon:
            return g.op("Sqrt", g.op("Add", square, g.scalar(self.epsilon, self.x)))
        root = g.op("Sqrt", square)
        return g.op("Where", g.op("Equal", root, g.scalar(0, root)), g.scalar(float("inf"), root), root)

    def count(self, g: Graph) -> int:
        """The number of values that each statistic is of."""
        return prod(g.sizes(self.x, [int(axis) for axis in g.constants[self.axes]]))

    def to_input(self, g: Graph, dcentre: str) -> str:
        """The cotangent of x from that of x - mean."""
        return g.op("Sub", dcentre, g.op("ReduceMean", dcentre, self.axes, keepdims=1)) if self.centred else dcentre


def moments_of(g: Graph, node: Node, dy: str) -> Moments | None:
    """The normalisation that a node is, with the cotangent of h; None if it is none of this form."""
    form = _FORMS.get(node.op) if not node.domain else None
    return form(g, node, dy) if form else None


def _over_last_axes(g: Graph, node: Node, dy: str) -> Moments:
    rank = g.rank(node.inputs[0])
    axes = g.ints(range(node.attr("axis") % rank, rank))
    dims = g.dims(node.inputs[0])
    x, dy, scale = (_wide(g, name) for name in (node.inputs[0], dy, node.inputs[1]))
    g.types[x] = Type(g.elem(x), dims)
    return Moments(x, g.op("Mul", dy, scale), axes, node.op == "LayerNormalization", node.attr("epsilon"))


def _over_positions(g: Graph, node: Node, dy: str) -> Moments:
    x, scale = node.inputs[:2]
    column = g.op("Reshape", scale, g.ints([-1, *(1,) * (g.rank(x) - 2)]))
    return Moments(x, g.op("Mul", dy, column), g.ints(range(2, g.rank(x))), True, node.attr("epsilon"))


def _over_groups(g: Graph, node: Node, dy: str) -> Moments:
    x, scale = node.inputs[:2]
    groups = node.attr("num_groups")
    per = groups if node.version < 21 else g.sizes(x, [1])[0]
    apart = g.ints([0, groups, -1])
    rows = g.op("Mul", g.op("Reshape", dy, g.ints([0, per, -1])), g.op("Reshape", scale, g.ints([per, 1])))
    batch, kind = g.dims(x)[0], g.types[x]
    length = prod(g.sizes(x, slice(1, None))) // groups
    x = g.op("Reshape", x, apart)
    g.types[x] = Type(kind.elem, (batch, groups, length))
    return Moments(x, g.op("Reshape", rows, apart), g.ints([2]), True, node.attr("epsilon"))


def _without_scale(g: Graph, node: Node, dy: str) -> Moments:
    return Moments(node.inputs[0], dy, g.ints(node.attr("axes", (0, 2, 3))), True, 0.0)


def _by_length(g: Graph, node: Node, dy: str) -> Moments | None:
    if node.attr("p") != 2:
        return None
    return Moments(node.inputs[0], dy, g.ints([node.attr("axis")]), False, 0.0, total=True)


_FORMS: dict[str, Callable[[Graph, Node, str], Moments | None]] = {
    "LayerNormalization": _over_last_axes,
    "RMSNormalization": _over_last_axes,
    "InstanceNormalization": _over_positions,
    "GroupNormalization": _over_groups,
    "MeanVarianceNormalization": _without_scale,
    "LpNormalization": _by_length,
}


def _wide(g: Graph, name: str) -> str:
    return name if g.elem(name) in {FLOAT, DOUBLE} else g.op("Cast", name, to=FLOAT)


def stopped_cotangents(g: Graph, node: Node, rule: Rule, dys: Sequence[str | None]) -> Cotangents | None:
    """The cotangents of a normalisation or a square root by norms="stop"; None for another operator.

    Args:
        g: the graph to append to.
        node: any.
        rule: its derivative rule.
        dys: the cotangents of its outputs.
    """
    if is_root(g, node):
        return [None] * len(node.inputs)
    dy, *others = dys[:2]  # of LayerNormalization the mean; the third output is the inverse deviation
    if dy is None:
        return _of_mean(g, node, rule, others) if node.op == "LayerNormalization" else None
    if node.op == "LRN":
        return [g.op("Div", dy, lrn_denominator(g, node)[1])]
    if node.op == "LpNormalization" and node.attr("p") == 1:
        length = g.op("ReduceL1", node.inputs[0], g.ints([node.attr("axis")]), keepdims=1)
        infinite = g.op("Where", g.op("Equal", length, g.scalar(0, length)), g.scalar(float("inf"), length), length)
        return [g.op("Div", dy, infinite)]
    moments = moments_of(g, node, dy)
    if moments is None:
        return None
    over = g.op("Div", moments.dh, moments.deviation(g, moments.centre(g)))
    return with_input_cotangent(g, node, rule, [dy, *others], moments.to_input(g, over))


def _of_mean(g: Graph, node: Node, rule: Rule, others: Sequence[str | None]) -> Cotangents:
    """Where nothing but the mean of a LayerNormalization is read."""
    assert rule.derivative is not None
    return rule.derivative(g, node, None, *others) if any(others) else [None] * len(node.inputs)


def with_input_cotangent(g: Graph, node: Node, rule: Rule, dys: Sequence[str | None], dx: str) -> Cotangents:
    """A normalisation's cotangents: `dx` for x, which may be reshaped or wider; scale and offset by the derivative.

    Args:
        g: the graph to append to.
        node: the normalisation.
        rule: its derivative rule.
        dys: the cotangents of its outputs.
        dx: the cotangent of x.
    """
    x = node.inputs[0]
    if node.op == "GroupNormalization":
        dx = g.reshape_like(dx, x)
    if node.op in {"LayerNormalization", "RMSNormalization"} and g.elem(x) not in {FLOAT, DOUBLE}:
        dx = g.op("Cast", dx, to=g.elem(x))
    assert rule.derivative is not None
    if any(dys[1:]):
        by_statistics = rule.derivative(g, node, None, *dys[1:])[0]
        dx = g.op("Add", dx, by_statistics) if by_statistics else dx
    if not any(node.needs_gradient[1:]):
        return [dx, *[None] * (len(node.inputs) - 1)]
    return [dx, *rule.derivative(g, node, *dys)[1:]]


def is_root(g: Graph, node: Node) -> bool:
    """Whether a node is a square root, a power of 1/2 or -1/2, or a norm that ends in a square root."""
    if node.domain or node.op != "Pow":
        return not node.domain and node.op in {"Sqrt", "ReduceL2"}
    exponent = g.value(node.inputs[1])
    return exponent is not None and exponent.size > 0 and bool((abs(exponent) == 0.5).all())
