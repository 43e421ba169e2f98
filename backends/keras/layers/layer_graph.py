"""Which layers each layer is computed from, read off the graph of a trace."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crosslens.model import INPUT

from .layer_tensor import LayerTensor

__all__ = ["upstream", "with_reads"]


def with_reads(graph: Any, image: Any, layers: Sequence[LayerTensor], tensors: Iterable[Any]) -> list[LayerTensor]:
    """The layers with `reads` set. Of several layers with one tensor, each reads the one before it.

    Args:
        graph: of the trace, its operations after what they read.
        image: the tensor that is `INPUT`.
        layers: in execution order.
        tensors: the output of each layer.
    """
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for name, tensor in [(INPUT, image), *zip((layer.name for layer in layers), tensors, strict=True)]:
        owners[tensor.name].append(name)
    nearest: dict[str, tuple[str, ...]] = {}
    reads: dict[str, tuple[str, ...]] = {}
    for operation in graph.get_operations():
        read = tuple(dict.fromkeys(name for t in operation.inputs for name in nearest.get(t.name, ())))
        for tensor in operation.outputs:
            own = owners.get(tensor.name, [])
            reads |= {name: (own[i - 1],) if i else read for i, name in enumerate(own)}
            nearest[tensor.name] = (own[-1],) if own else read
    return [replace(layer, reads=reads[layer.name]) for layer in layers]


def upstream(layers: Mapping[str, LayerTensor], names: Iterable[str]) -> frozenset[str]:
    """The layers that these are computed from, themselves included."""
    visited, ahead = set[str](), list(names)
    while ahead:
        name = ahead.pop()
        if name not in visited:
            visited.add(name)
            ahead += layers[name].reads if name in layers else ()
    return frozenset(visited)
