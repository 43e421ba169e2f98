"""Modified backward rules at rectifiers: guided backpropagation, deconvolutional network, and linear (no rectifier)."""

from collections import Counter
from collections.abc import Sequence

from crosslens.introspection.nonlinearities import OTHERS, RECTIFIER

from ..ir.graph import Graph, Node
from .registry import Cotangents, Rule

__all__ = [
    "activation_functions",
    "is_rectifier",
    "never_negative",
    "non_negative_tensors",
    "rectified_tensors",
    "rectifier_cotangents",
]


def is_rectifier(graph: Graph, node: Node) -> bool:
    """Whether a node is a rectifier: max(x, 0), min(max(x, 0), c), or one with another slope below zero.

    ReLU6 also comes as Clip, and as Max with 0 and Min with a constant, in either order: each half counts, because
    each of the rules of `Model.modified` is the same applied once or to both halves.
    """
    if node.domain:
        return False
    if node.op in {"Relu", "LeakyRelu", "PRelu"}:
        return True
    if node.op == "Clip":
        return node.has(1) and _is_zero(graph, node.inputs[1])
    if node.op == "Max":
        return len(node.inputs) == 2 and any(_is_zero(graph, i) for i in node.inputs)
    return node.op == "Min" and _caps_a_rectifier(graph, node)


def _is_zero(graph: Graph, name: str) -> bool:
    value = graph.value(name)
    return value is not None and value.size == 1 and not value.any()


def _caps_a_rectifier(graph: Graph, node: Node) -> bool:
    """Min(x, constant) right after a rectifier, or right before the Max with 0."""
    if len(node.inputs) != 2 or all(graph.value(i) is None for i in node.inputs):
        return False
    before = [n for i in node.inputs if (n := graph.producer(i)) is not None]
    after = [n for n in graph.readers(node.outputs[0]) if n.op == "Max"]
    return any(n.op == "Relu" or (n.op == "Max" and is_rectifier(graph, n)) for n in before) or any(
        is_rectifier(graph, n) for n in after
    )


def rectified_tensors(graph: Graph) -> list[str]:
    """The outputs of rectifiers, in the order of the nodes; of one in two halves the output of the second half."""
    nodes = [node for node in graph.nodes if is_rectifier(graph, node)]
    halved = {i for node in nodes if node.op in {"Max", "Min"} for i in node.inputs}
    return [node.outputs[0] for node in nodes if node.outputs[0] not in halved]


def non_negative_tensors(graph: Graph) -> set[str]:
    """The outputs of rectifiers that are 0 below 0, not of those with a slope there."""
    return {node.outputs[0] for node in graph.nodes if node.op not in _SLOPED and is_rectifier(graph, node)}


_SLOPED = {"LeakyRelu", "PRelu"}


def never_negative(graph: Graph) -> frozenset[str]:
    """The tensors that are known to be nowhere negative, whatever the image."""
    found: set[str] = set()

    def is_above(name: str) -> bool:
        value = graph.value(name)
        return name in found if value is None else bool((value >= 0).all())

    for node in graph.nodes:
        if not node.domain and _gives_above(node, [bool(name) and is_above(name) for name in node.inputs]):
            found.add(node.outputs[0])
    return frozenset(found)


def _gives_above(node: Node, above: Sequence[bool]) -> bool:
    """Whether a node's output is nowhere negative, by which of its inputs are not."""
    if node.op == "Clip":  # a highest value below 0 wins over the lowest
        return node.has(1) and above[1] and (not node.has(2) or above[2])
    if node.op in _KEEP_ALL:
        return all(above)
    return node.op in _ABOVE or (node.op in _KEEP_FIRST and above[0]) or (node.op == "Max" and any(above))


_ABOVE = {"Relu", "Sigmoid", "HardSigmoid", "Softmax", "Softplus", "Exp", "Abs"}
_POOLS = {"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool", "ReduceMean", "ReduceMax", "ReduceSum"}
_KEEP_FIRST = _POOLS | {"Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Identity", "Slice"}
_KEEP_ALL = {"Add", "Sum", "Mul", "Concat", "Min"}


def activation_functions(graph: Graph) -> Counter[str]:
    """The number of activation functions of each kind; x times its sigmoid counts as SiLU, Erf as GELU."""
    counts: Counter[str] = Counter({RECTIFIER: sum(is_rectifier(graph, node) for node in graph.nodes)})
    for node in graph.nodes:
        gated = _GATED.get(node.op)
        if gated is None:
            kind = OTHERS.get(node.op.lower())
        else:
            kind = gated if node.op == "Erf" or _multiplies_its_input(graph, node) else None
        if kind:
            counts[kind] += 1
    return counts


_GATED = {"Sigmoid": "SiLU", "HardSigmoid": "HardSwish", "Erf": "GELU"}


def _multiplies_its_input(graph: Graph, node: Node) -> bool:
    """Whether the node's output is multiplied by its input."""
    both = {node.inputs[0], node.outputs[0]}
    return any(each.op == "Mul" and set(each.inputs) == both for each in graph.readers(node.inputs[0]))


def rectifier_cotangents(graph: Graph, node: Node, rule: Rule, dys: Sequence[str | None], relu: str) -> Cotangents:
    """The cotangents of a rectifier f by a modified rule; None for its constant inputs.

    Args:
        graph: the graph to append to.
        node: the rectifier.
        rule: its exact derivative rule.
        dys: the cotangent of its output.
        relu: "guided" for f'(x) max(dy, 0), "deconvnet" for max(dy, 0), "linear" for dy.
    """
    (dy,) = dys
    assert dy is not None
    assert rule.derivative is not None
    if relu != "linear":
        dy = graph.op("Relu", dy)
    cotangents = (
        rule.derivative(graph, node, dy) if relu == "guided" else [dy if w else None for w in node.needs_gradient]
    )
    return [c if graph.value(i) is None else None for c, i in zip(cotangents, node.inputs, strict=False)]
