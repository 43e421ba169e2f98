"""ScatterElements and ScatterND: y is x with updates u put at places, or combined with what is there.

With "at" for reading at those places: none: dx = dy but 0 there, du = dy at; add: dx = dy, du = dy at. mul: each factor
gets dy times the product of all others, exact also where some are 0. max and min: dy is shared evenly among all that
equal the result, as torch.scatter_reduce has it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...ir.graph import INT64, Graph, Node
from ..registry import Cotangents, vjp


@dataclass(frozen=True)
class _Places:
    """Writing to and reading from the node's places."""

    g: Graph
    node: Node

    def put(self, x: str, updates: str, reduction: str = "none") -> str:
        how = {"axis": self.node.attr("axis")} if self.node.op == "ScatterElements" else {}
        return self.g.op(self.node.op, x, self.node.inputs[1], updates, reduction=reduction, **how)

    def at(self, y: str) -> str:
        if self.node.op == "ScatterElements":
            return self.g.op("GatherElements", y, self.node.inputs[1], axis=self.node.attr("axis"))
        return self.g.op("GatherND", y, self.node.inputs[1])


@vjp("ScatterElements", "ScatterND", since=11)
def scatter(g: Graph, node: Node, dy: str) -> Cotangents:
    """Cotangents of x and of the updates."""
    dx, du = _BY_REDUCTION[node.attr("reduction", "none")](g, node, _Places(g, node), dy)
    return [dx, None, du]


def _none(g: Graph, node: Node, places: _Places, dy: str) -> tuple[str, str]:
    updates = node.inputs[2]
    du = g.op("Mul", places.at(dy), _winners(g, node, places)) if _may_repeat(g, node) else places.at(dy)
    return places.put(dy, g.zeros_like(updates)), du


def _may_repeat(g: Graph, node: Node) -> bool:
    """ONNX forbids places that repeat, but onnxruntime takes them: then the last update is what counts."""
    places = g.value(node.inputs[1])
    if places is None:
        return True
    if node.op == "ScatterElements":
        apart = np.moveaxis(places % g.sizes(node.inputs[0], [node.attr("axis")])[0], node.attr("axis"), -1)
        ordered = np.sort(apart, axis=-1)
        return bool((ordered[..., 1:] == ordered[..., :-1]).any())
    rows = places.reshape(-1, places.shape[-1]) % g.sizes(node.inputs[0], range(places.shape[-1]))
    return len(np.unique(rows, axis=0)) < len(rows)


def _winners(g: Graph, node: Node, places: _Places) -> str:
    """1 for updates that are in the result, 0 for those that a later one has overwritten."""
    x, _, updates = node.inputs
    flat = g.op("Range", g.const(0), g.op("Size", updates), g.const(1))
    number = g.op("Reshape", flat, g.shape_of(updates))
    kept = places.at(places.put(g.op("Cast", g.zeros_like(x), to=INT64), number))
    return g.op("Cast", g.op("Equal", kept, number), to=g.elem(x))


def _add(g: Graph, node: Node, places: _Places, dy: str) -> tuple[str, str]:
    return dy, places.at(dy)


def _mul(g: Graph, node: Node, places: _Places, dy: str) -> tuple[str, str]:
    """The product of the factors that are not 0, and how many are, tell the product of all but one."""
    (x, x_zero), (u, u_zero) = (_without_zeros(g, name) for name in (node.inputs[0], node.inputs[2]))
    whole = places.put(x, u, "mul")
    zeros = places.put(x_zero, u_zero, "add")

    def share(product: str, count: str, factor: str, own: str, dy: str) -> str:
        others = g.op("Where", g.op("Equal", count, own), g.op("Div", product, factor), g.scalar(0, dy))
        return g.op("Mul", dy, others)

    return share(whole, zeros, x, x_zero, dy), share(places.at(whole), places.at(zeros), u, u_zero, places.at(dy))


def _without_zeros(g: Graph, name: str) -> tuple[str, str]:
    zero = g.op("Equal", name, g.scalar(0, name))
    return g.op("Where", zero, g.scalar(1, name), name), g.op("Cast", zero, to=g.elem(name))


def _extreme(g: Graph, node: Node, places: _Places, dy: str) -> tuple[str, str]:
    x, _, updates = node.inputs
    (y,) = node.outputs
    x_best = g.op("Cast", g.op("Equal", x, y), to=g.elem(y))
    u_best = g.op("Cast", g.op("Equal", updates, places.at(y)), to=g.elem(y))
    share = g.op("Div", dy, places.put(x_best, u_best, "add"))
    return g.op("Mul", share, x_best), g.op("Mul", places.at(share), u_best)


_BY_REDUCTION: dict[str, Callable[[Graph, Node, _Places, str], tuple[str, str]]] = {
    "none": _none,
    "add": _add,
    "mul": _mul,
    "max": _extreme,
    "min": _extreme,
}
