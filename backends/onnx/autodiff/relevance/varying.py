"""Which tensors vary with the image by differentiable paths, and which nodes are functions of one of them."""

from dataclasses import dataclass

from ...ir.graph import Graph, Node
from ..registry import rule_for

__all__ = ["ACTIVATIONS", "Varying"]

ACTIVATIONS = frozenset(
    ["Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Clip", "Max", "Min", "Sigmoid", "Tanh", "Erf", "Elu", "Selu",
     "Celu", "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Mish", "Swish", "Gelu", "Shrink"]
)  # fmt: skip
"""Activation functions, elementwise where one input varies."""


@dataclass(frozen=True)
class Varying:
    """The floating tensors of a graph that vary, and the nodes that make them."""

    tensors: frozenset[str]
    makers: dict[str, Node]

    @classmethod
    def of(cls, graph: Graph) -> "Varying":
        """Of a forward pass."""
        tensors = set(graph.inputs)
        makers: dict[str, Node] = {}
        for node in graph.nodes:
            rule = rule_for(node)
            if not tensors.isdisjoint(node.reads) and (rule is None or rule.derivative is not None):
                floats = [o for o in node.outputs if o and (o not in graph.types or graph.types[o].is_float)]
                tensors.update(floats)
                makers.update((o, node) for o in floats)
        return cls(frozenset(tensors), makers)

    def positions(self, node: Node) -> tuple[int, ...]:
        """Of the inputs of a node that vary."""
        return tuple(position for position, name in enumerate(node.inputs) if name in self.tensors)

    def only(self, node: Node) -> int | None:
        """The position of the one input that varies; None if none or several do."""
        positions = self.positions(node)
        return positions[0] if len(positions) == 1 else None
