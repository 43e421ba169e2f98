"""Secants of normalisations with statistics of the input, composed of means, squares, a power and a product.

h = c r with c = x - mean, r = (v + epsilon)^-1/2 and v the mean of c^2. The square has the secant c + c', the power
-1 / (s s' (s + s')) with s = sqrt(v + epsilon), the product takes means.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...ir.graph import Graph, Node, Type
from ..registry import Cotangents, Rule
from ..rules.lrn import lrn_denominator, lrn_windows
from .halves import Halves
from .normalisations import Moments, moments_of, with_input_cotangent
from .ratio import TINY

__all__ = ["normalisation_cotangents"]


def normalisation_cotangents(halves: Halves, node: Node, rule: Rule, dys: Sequence[str | None]) -> Cotangents | None:
    """One cotangent for each input; None for a norm of absolute values, which has no secant here.

    Args:
        halves: of the batch, in the graph to append to.
        node: the normalisation.
        rule: its derivative rule.
        dys: the cotangents of its outputs.
    """
    g, dy = halves.graph, dys[0]
    assert dy is not None
    if node.op == "LRN":
        return [_of_lrn(halves, node, dy)]
    moments = moments_of(g, node, dy)
    if moments is None:
        return None
    return with_input_cotangent(g, node, rule, dys, _of_moments(halves, moments))


def _of_moments(halves: Halves, moments: Moments) -> str:
    g, x = halves.graph, moments.x
    centre = moments.centre(g)
    deviation = moments.deviation(g, centre)
    inverse = g.op("Reciprocal", deviation)
    shape = g.types[x]
    g.types |= {centre: shape, deviation: _reduced(g, moments), inverse: _reduced(g, moments)}
    over = g.op("Mul", g.op("Mul", inverse, halves.other(inverse)), _inverse_of_sum(halves, deviation))
    dv = g.op("ReduceSum", g.op("Mul", moments.dh, halves.mean(centre)), moments.axes, keepdims=1)
    dv = g.op("Mul", dv, over)
    share = dv if moments.total else g.op("Mul", dv, g.scalar(1 / moments.count(g), dv))
    square = g.op("Mul", share, g.op("Add", centre, halves.other(centre)))
    return moments.to_input(g, g.op("Sub", g.op("Mul", moments.dh, halves.mean(inverse)), square))


def _inverse_of_sum(halves: Halves, deviation: str) -> str:
    g = halves.graph
    return g.op("Reciprocal", g.op("Add", deviation, halves.other(deviation)))


def _reduced(g: Graph, moments: Moments) -> Type:
    axes = {int(a) for a in g.constants[moments.axes]}
    dims = g.dims(moments.x)
    return replace(
        g.types[moments.x], dims=tuple(1 if a in axes or a - len(dims) in axes else n for a, n in enumerate(dims))
    )


def _of_lrn(halves: Halves, node: Node, dy: str) -> str:
    """y = x q with q = s^-beta and s = bias + alpha / size W x^2: the power by the difference of s."""
    g, x = halves.graph, node.inputs[0]
    (_, back), (s, power) = lrn_windows(g, node), lrn_denominator(g, node)
    q = g.op("Reciprocal", power)
    g.types |= {s: g.types[x], q: g.types[x]}
    difference = halves.difference(s)
    tiny = g.op("LessOrEqual", g.op("Abs", difference), g.scalar(TINY, x))
    slope = g.op("Div", halves.difference(q), difference)
    exact = g.op("Mul", g.op("Div", q, s), g.scalar(-node.attr("beta"), x))
    slope = halves.whole(g.op("Where", tiny, halves.pairs(exact, x), slope), x)
    ds = g.op("Mul", g.op("Mul", dy, halves.mean(x)), slope)
    spread = g.op("Mul", g.op("Conv", ds, back), g.scalar(node.attr("alpha") / node.attr("size"), x))
    return g.op("Add", g.op("Mul", dy, halves.mean(q)), g.op("Mul", spread, g.op("Add", x, halves.other(x))))
