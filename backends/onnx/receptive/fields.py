"""Follow what the tensors of an ONNX graph depend on, node by node."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crosslens.model import INPUT
from crosslens.receptive.dependence import Dependence
from crosslens.receptive.fields import Fields

from ..ir.graph import DynamicShapeError, Graph, Node
from ..ir.layers import LayerTensor
from .rules import RULES, elementwise

__all__ = ["fields_of_graph"]

_NO_NUMBERS = frozenset({"Shape", "Size"})
"""What they give depends on shapes alone."""


@dataclass
class _Followed:
    graph: Graph
    known: dict[str, Dependence] = field(default_factory=dict)

    def add(self, node: Node) -> None:
        if node.op in _NO_NUMBERS or not any(name in self.known for name in node.reads):
            return
        try:
            shapes = [self.graph.sizes(name, slice(None)) for name in node.outputs if name]
        except DynamicShapeError:
            shapes = []
        made = self._by_rule(node, shapes)
        read = [self.known[name] for name in node.reads if name in self.known]
        for n, name in enumerate(node.outputs):
            if name:
                shape = shapes[n] if shapes else ()
                self.known[name] = made[n] if n < len(made) else _all(read, shape, node.op)

    def _by_rule(self, node: Node, shapes: list[tuple[int, ...]]) -> list[Dependence]:
        parts = [self.known.get(name) for name in node.inputs]
        inner = set(node.reads) - set(node.inputs)
        if not shapes or node.domain or inner & self.known.keys():
            return []
        rule = RULES.get(node.op)
        try:
            if rule is not None:
                return list(rule(self.graph, node, parts, shapes))
        except DynamicShapeError:
            return []
        return list(elementwise(self.graph, node, parts, shapes))


def _all(read: list[Dependence], shape: tuple[int, ...], name: str) -> Dependence:
    """What is certain of any operator: no output depends on more than all inputs do together."""
    flat = [each.flat(shape, unknown=name) for each in read]
    return flat[0].union(*flat[1:])


def fields_of_graph(graph: Graph, layers: Mapping[str, LayerTensor], shape: tuple[int, ...]) -> Fields:
    """What each layer depends on, channels first.

    Args:
        graph: with the shapes of all tensors, for one image.
        layers: by name.
        shape: (N, C, H, W) of the images that the graph is for.
    """
    followed = _Followed(graph, {INPUT: Dependence.of_image(shape)})
    for node in graph.nodes:
        followed.add(node)
    fields = {}
    for name, layer in layers.items():
        made = followed.known.get(layer.tensor)
        if made is not None:
            rank = len(made.shape)
            fields[name] = made.transposed([0, rank - 1, *range(1, rank - 1)]) if layer.channels_last else made
    return fields
