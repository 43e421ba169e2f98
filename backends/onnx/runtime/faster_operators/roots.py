"""Replaces Pow with an exponent of quarters, as in local response normalisation, by square roots and products.
Pow by 0.75 over 400,000 values takes 2.1 ms, a square root 0.1 ms (2 threads).
"""

from collections.abc import Callable

from ...ir.graph import FLOAT, Graph, Node

__all__ = ["powers_by_roots"]


def powers_by_roots(graph: Graph) -> None:
    """Replace, in place, x^e for e of 1/4, 1/2, 3/4, 5/4, 3/2 and their negatives; for negative x both give NaN."""
    nodes, graph.nodes = graph.nodes, []
    for node in nodes:
        write = _FORMS.get(abs(_exponent(graph, node)))
        if write is None:
            graph.nodes.append(node)
            continue
        power = write(graph, node.inputs[0])
        last = "Reciprocal" if _exponent(graph, node) < 0 else "Identity"
        graph.nodes.append(graph.node(last, power, outputs=node.outputs))


def _exponent(graph: Graph, node: Node) -> float:
    value = graph.value(node.inputs[1]) if node.op == "Pow" and not node.domain else None
    ours = value is not None and value.size == 1 and value.ndim <= 1 and graph.elem(node.inputs[0]) == FLOAT
    return float(value.reshape(())) if ours and value is not None else 0.0


def _root(g: Graph, x: str) -> str:
    return g.op("Sqrt", x)


_FORMS: dict[float, Callable[[Graph, str], str]] = {
    0.25: lambda g, x: _root(g, _root(g, x)),
    0.5: _root,
    0.75: lambda g, x: g.op("Mul", root := _root(g, x), _root(g, root)),
    1.25: lambda g, x: g.op("Mul", x, _root(g, _root(g, x))),
    1.5: lambda g, x: g.op("Mul", x, _root(g, x)),
}
