"""Activation functions written out in several operators, such as x sigmoid(x) and x / 2 (1 + erf(x / sqrt 2)).

The end is a product c x g(x) or a quotient c x / g(x), with c constant and g a chain of elementwise operators on x
alone that holds an activation function, an exponential, or an absolute value (softsign).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ...ir.graph import DynamicShapeError, Graph, Node
from .varying import Varying, is_activation

__all__ = ["WrittenOut", "written_out_functions"]

_ARITHMETIC = frozenset(["Add", "Sub", "Mul", "Div", "Neg", "Pow", "Sum", "Reciprocal", "Sqrt", "Exp", "Log", "Abs"])
_MARKS = frozenset({"Exp", "Abs"})
"""Without one of them or an activation function a product is a polynomial, as the square in a normalisation is."""
_PASSING = frozenset(["Identity", "Cast", "CastLike", "Dropout"])
_QUANTISING = frozenset(["QuantizeLinear", "DequantizeLinear"])
_ELEMENTWISE = _ARITHMETIC | _PASSING | _QUANTISING


@dataclass(frozen=True)
class WrittenOut:
    """A function f of one tensor x that a product or quotient ends."""

    end: Node
    x: str
    multiples: tuple[Node, ...]
    """The nodes from x to c x, each a product with or a quotient by a constant; the last first."""
    g: str
    nodes: frozenset[str]
    """The outputs of all nodes that belong to f."""

    def ratio(self, graph: Graph) -> str:
        """f(x) / x = c g(x), or c / g(x); also right at x = 0."""
        ratio = self.g if self.end.op == "Mul" else graph.op("Reciprocal", self.g)
        for node in reversed(self.multiples):
            if node.op in {"Mul", "Div"}:
                constant = next(i for i in node.inputs if graph.value(i) is not None)
                ratio = graph.op(node.op, ratio, constant)
        return ratio


def written_out_functions(graph: Graph, varying: Varying) -> dict[str, WrittenOut]:
    """By the tensor that ends each of them, in the forward pass."""
    found = (f for node in graph.nodes if node.op in {"Mul", "Div"} for f in _functions(graph, varying, node))
    return {function.end.outputs[0]: function for function in found}


def _functions(graph: Graph, varying: Varying, node: Node) -> Iterator[WrittenOut]:
    if len(varying.positions(node)) != 2:
        return
    a, b = node.inputs
    for multiple, g in ((a, b), (b, a)) if node.op == "Mul" else ((a, b),):
        for x, nodes in _sources(graph, varying, multiple):
            inner = _chain(varying, g, x)
            if inner and any(is_activation(n) or n.op in _MARKS for n in inner) and _same_shape(graph, x, node):
                outputs = frozenset(n.outputs[0] for n in (node, *nodes, *inner))
                yield WrittenOut(node, x, nodes, g, outputs)
                return


def _sources(graph: Graph, varying: Varying, tensor: str) -> Iterator[tuple[str, tuple[Node, ...]]]:
    """The tensors that this one is a constant multiple of, itself first, and the nodes in between."""
    nodes: tuple[Node, ...] = ()
    while True:
        yield tensor, nodes
        maker = varying.makers.get(tensor)
        if maker is None or not _is_multiple(graph, varying, maker):
            return
        nodes = (*nodes, maker)
        tensor = maker.inputs[varying.positions(maker)[0]]


def _is_multiple(graph: Graph, varying: Varying, node: Node) -> bool:
    position = varying.only(node)
    if position is None or node.domain:
        return False
    if node.op in _PASSING:
        return True
    others = [i for p, i in enumerate(node.inputs) if p != position]
    constant = all(graph.value(i) is not None for i in others)
    return constant and (node.op == "Mul" or (node.op == "Div" and position == 0))


def _chain(varying: Varying, tensor: str, x: str) -> list[Node] | None:
    """The nodes from x to a tensor; None if another varying tensor enters, or an operator that is not elementwise."""
    waiting, nodes, seen = [tensor], [], {x}
    while waiting:
        if (name := waiting.pop()) in seen:
            continue
        seen.add(name)
        maker = varying.makers.get(name)
        if maker is None or not (is_activation(maker) or (maker.op in _ELEMENTWISE and not maker.domain)):
            return None
        nodes.append(maker)
        waiting += _of(varying.tensors, maker.inputs)
    return nodes


def _of(tensors: frozenset[str], names: Iterable[str]) -> list[str]:
    return [name for name in names if name in tensors]


def _same_shape(graph: Graph, x: str, node: Node) -> bool:
    try:
        return graph.dims(x) == graph.dims(node.outputs[0])
    except DynamicShapeError:
        return True
