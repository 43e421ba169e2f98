"""LayerNormalization: y = s h + b with h = (x - mean) / deviation over the last axes; both statistics are outputs too.

With dh = s dy and n elements: dx = (dh - mean(dh) - h mean(h dh) - h / (n deviation) d(1 / deviation)) / deviation
+ dmean / n. float16 is expand_to_input to float32, as the operator itself does. Ba et al. 2016, https://arxiv.org/abs/1607.06450.
"""

from math import prod

from ...ir.graph import DOUBLE, FLOAT, Graph, Node
from ..registry import Cotangents, vjp


@vjp("LayerNormalization", since=17)
def layer_normalization(g: Graph, node: Node, dy: str | None, *others: str | None) -> Cotangents:
    """Shapes: x and dy (*outer, *normalised), dmean and dinverse (*outer, 1, ...)."""
    x, scale = (_wide(g, name) for name in node.inputs[:2])
    first = node.attr("axis") % g.rank(node.inputs[0])
    axes, outer = g.ints(range(first, g.rank(node.inputs[0]))), g.ints(range(first))
    mean, inverse = _statistics(g, node, x, scale, axes)
    h = g.op("Mul", g.op("Sub", x, mean), inverse)
    parts = []
    dscale = doffset = None
    if dy is not None:
        dy = _wide(g, dy)
        parts.append(_through_y(g, dy, scale, h, inverse, axes))
        dscale = (
            g.op("ReduceSum", g.op("Mul", dy, h), outer, noop_with_empty_axes=1) if node.needs_gradient[1] else None
        )
        if len(node.needs_gradient) > 2 and node.needs_gradient[2]:
            doffset = g.op("ReduceSum", dy, outer, noop_with_empty_axes=1)
    parts += _through_statistics(g, node, first, h, inverse, *(*others, None, None)[:2])
    dx = g.op("Sum", *parts) if len(parts) > 1 else parts[0]
    cotangents = [dx, dscale and g.reshape_like(dscale, scale), doffset and g.reshape_like(doffset, node.inputs[-1])]
    if g.elem(node.inputs[0]) != g.elem(x):
        cotangents = [c and g.op("Cast", c, to=g.elem(node.inputs[0])) for c in cotangents]
    return cotangents[: len(node.inputs)]


def _wide(g: Graph, name: str) -> str:
    return name if g.elem(name) in {FLOAT, DOUBLE} else g.op("Cast", name, to=FLOAT)


def _statistics(g: Graph, node: Node, x: str, scale: str, axes: str) -> tuple[str, str]:
    """Mean and inverse deviation: the operator's own further outputs, but for float64, where they would be float32."""
    if g.elem(x) == FLOAT:
        how = {"axis": node.attr("axis"), "epsilon": node.attr("epsilon")}
        _, mean, inverse = g.ops("LayerNormalization", 3, x, scale, **how)
        return mean, inverse
    mean = g.op("ReduceMean", x, axes, keepdims=1)
    centred = g.op("Sub", x, mean)
    variance = g.op("ReduceMean", g.op("Mul", centred, centred), axes, keepdims=1)
    return mean, g.op("Reciprocal", g.op("Sqrt", g.op("Add", variance, g.scalar(node.attr("epsilon"), x))))


def _through_y(g: Graph, dy: str, scale: str, h: str, inverse: str, axes: str) -> str:
    dh = g.op("Mul", dy, scale)
    centred = g.op("Sub", dh, g.op("ReduceMean", dh, axes, keepdims=1))
    shared = g.op("Mul", h, g.op("ReduceMean", g.op("Mul", h, dh), axes, keepdims=1))
    return g.op("Mul", g.op("Sub", centred, shared), inverse)


def _through_statistics(
    g: Graph, node: Node, first: int, h: str, inverse: str, dmean: str | None, dinverse: str | None
) -> list[str]:
    """What comes back where the network also uses the mean or the inverse deviation."""
    if dmean is None and dinverse is None:
        return []
    share = g.scalar(1 / prod(g.sizes(node.inputs[0], slice(first, None))), h)
    parts = [] if dmean is None else [g.op("Mul", g.op("Expand", _like(g, dmean, h), g.op("Shape", h)), share)]
    if dinverse is not None:
        slope = g.op("Mul", g.op("Mul", inverse, inverse), _like(g, dinverse, h))
        parts.append(g.op("Neg", g.op("Mul", h, g.op("Mul", slope, share))))
    return parts


def _like(g: Graph, dy: str, h: str) -> str:
    return dy if g.elem(dy) == g.elem(h) else g.op("Cast", dy, to=g.elem(h))
