"""Which tensors vary with the image by differentiable paths, and which nodes are functions of one of them."""

from collections.abc import Callable
from dataclasses import dataclass

from ...ir.graph import Graph, Node
from ..registry import rule_for

__all__ = ["ACTIVATIONS", "Varying", "is_activation"]

ACTIVATIONS = frozenset(
    ["Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip", "Max", "Min", "Sigmoid", "Tanh", "Erf", "Elu", "Selu",
     "Celu", "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Mish", "Swish", "Gelu", "Shrink"]
)  # fmt: skip
"""Activation functions, elementwise where one input varies."""


def is_activation(node: Node) -> bool:
    """Whether a node is an activation function if one of its inputs varies."""
    rule = rule_for(node)
    known = node.op in ACTIVATIONS and (not node.domain or node.op == "Gelu")
    return known or (rule is not None and rule.activation)


@dataclass(frozen=True)
class Varying:
    """The tensors of a graph that vary, floating or quantised numbers, and the nodes that make them."""

    tensors: frozenset[str]
    makers: dict[str, Node]

    @classmethod
    def of(cls, graph: Graph, stopped: Callable[[Node], bool] | None = None) -> "Varying":
        """Of a forward pass.

        Args:
            graph: the forward pass.
            stopped: the nodes whose outputs count as constant; None for none.
        """
        tensors, numbers = set(graph.inputs), set[str]()
        makers: dict[str, Node] = {}
        for node in graph.nodes:
            rule = rule_for(node)
            if (
                tensors.isdisjoint(node.reads)
                or (stopped is not None and stopped(node))
                or not (rule is None or rule.derivative)
            ):
                continue
            along = rule is not None and (rule.approximate or not numbers.isdisjoint(node.inputs))
            vary = [o for o in node.outputs if o and (along or o not in graph.types or graph.types[o].is_float)]
            numbers.update(o for o in vary if along and o in graph.types and not graph.types[o].is_float)
            tensors.update(vary)
            makers.update((o, node) for o in vary)
        return cls(frozenset(tensors), makers)

    def positions(self, node: Node) -> tuple[int, ...]:
        """Of the inputs of a node that vary."""
        return tuple(position for position, name in enumerate(node.inputs) if name in self.tensors)

    def only(self, node: Node) -> int | None:
        """The position of the one input that varies; None if none or several do."""
        positions = self.positions(node)
        return positions[0] if len(positions) == 1 else None
