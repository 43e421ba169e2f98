"""Secants of maxima: pooling, reductions and elementwise, each input or position getting what it took part in.

With y and y' the outputs of both halves and V the scatter to where a half has its maxima,

    dx = (V(dy max(y - y', 0)) + V'(dy min(y - y', 0))) / (x - x'), 0 where x = x';

of minima with max and min exchanged. So DeepLIFT has it in captum.
"""

from ...ir.graph import Node
from ..broadcasting import summed_back
from ..registry import Cotangents, Rule
from .halves import Halves
from .varying import Varying

__all__ = ["maximum_cotangents"]


def maximum_cotangents(halves: Halves, varying: Varying, node: Node, rule: Rule, dy: str) -> Cotangents:
    """One cotangent for each input that varies.

    Args:
        halves: of the batch, in the graph to append to.
        varying: the tensors that vary.
        node: a maximum or minimum.
        rule: its derivative rule: V.
        dy: the cotangent of its first output.
    """
    g, y = halves.graph, node.outputs[0]
    change = halves.difference(y)
    up, down = g.op("Relu", change), g.op("Min", change, g.scalar(0, change))
    first, second = (down, up) if node.op in {"Min", "ReduceMin"} else (up, down)
    change = halves.joined(first, second, y)
    scattered = [_scattered(halves, node, rule, g.op("Mul", half, change)) for half in halves.both(dy, y)]
    return [
        _over_difference(halves, node, name, *(each[position] for each in scattered))
        if position in varying.positions(node) and node.needs_gradient[position]
        else None
        for position, name in enumerate(node.inputs)
    ]


def _scattered(halves: Halves, node: Node, rule: Rule, pairs: str) -> Cotangents:
    """V of the first half and V' of the second, for each input."""
    assert rule.derivative is not None
    return rule.derivative(halves.graph, node, halves.whole(pairs, node.outputs[0]))


def _over_difference(halves: Halves, node: Node, x: str, *scattered: str | None) -> str | None:
    """The sums of both halves, that of the images' cotangent first, by the difference of x."""
    g, sums = halves.graph, []
    for each in scattered:
        if each is None:
            return None
        summed = summed_back(g, each, node.outputs[0], x) if node.op in {"Max", "Min"} else each
        sums.append(g.op("Add", *halves.both(summed, x)))
    return halves.whole(halves.over_difference(halves.joined(sums[0], sums[1], x), x), x)
