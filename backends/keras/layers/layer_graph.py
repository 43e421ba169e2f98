"""Which layers each layer is computed from, read off the graph of a trace."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from crosslens.model import INPUT

from .layer_tensor import Place

__all__ = ["linked", "upstream"]


def linked(graph: Any, image: Any, places: Sequence[Place], tensors: Iterable[Any]) -> list[Place]:
    """The places with `reads` set. Of several layers of one tensor each reads the one before it.

    Args:
        graph: of the trace, its operations after what they read.
        image: the tensor that is `INPUT`.
        places: in execution order.
        tensors: the output of each place.
    """
    owners: defaultdict[str, list[str]] = defaultdict(list)
    for name, tensor in [(INPUT, image), *zip((place.name for place in places), tensors, strict=True)]:
        owners[tensor.name].append(name)
    nearest: dict[str, tuple[str, ...]] = {}
    reads: dict[str, tuple[str, ...]] = {}
    for operation in graph.get_operations():
        read = tuple(dict.fromkeys(name for t in operation.inputs for name in nearest.get(t.name, ())))
        for tensor in operation.outputs:
            own = owners.get(tensor.name, [])
            reads |= {name: (own[i - 1],) if i else read for i, name in enumerate(own)}
            nearest[tensor.name] = (own[-1],) if own else read
    return [replace(place, reads=reads[place.name]) for place in places]


def upstream(places: Mapping[str, Place], names: Iterable[str]) -> frozenset[str]:
    """The layers that these are computed from, themselves included."""
    found, ahead = set[str](), list(names)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += places[name].reads if name in places else ()
    return frozenset(found)
