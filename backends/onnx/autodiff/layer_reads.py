"""The layers that each layer is computed from directly, without another layer in between."""

from collections.abc import Iterator, Mapping

from crosslens.model import INPUT

from ..ir.graph import Graph, Node
from ..ir.layers import LayerTensor
from .reverse import path_of

__all__ = ["direct_reads"]


def direct_reads(graph: Graph, places: Mapping[str, LayerTensor]) -> Mapping[str, tuple[str, ...]]:
    """By layer, the layers that it reads, in the order of its operator's inputs, each once.

    Only paths that gradients can take count, as for `Model.upstream`: indices and sizes do not.
    """
    layers = {place.tensor: name for name, place in places.items() if name != INPUT}
    layers[INPUT] = INPUT
    path = path_of(graph, set(layers), [INPUT])
    makers = {output: node for node in path for output in node.outputs if output}
    reads: dict[str, tuple[str, ...]] = {}
    for name, place in places.items():
        maker = makers.get(place.tensor)
        reads[name] = tuple(dict.fromkeys(_sources(maker, makers, layers))) if maker and name != INPUT else ()
    return reads


def _sources(node: Node, makers: Mapping[str, Node], layers: Mapping[str, str]) -> Iterator[str]:
    waiting, seen = [*reversed(node.reads)], set[str]()
    while waiting:
        tensor = waiting.pop()
        if tensor in layers:
            yield layers[tensor]
        elif tensor in makers and tensor not in seen:
            seen.add(tensor)
            waiting += reversed(makers[tensor].reads)
