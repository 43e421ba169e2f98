"""Which layers each layer is computed from, read off the graph of a trace."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .place import Place

__all__ = ["linked", "upstream"]


def linked(graph: Any, places: Sequence[Place], tensors: Iterable[Any]) -> list[Place]:
    """The places with `before` set; the layers of one tensor name each other. Operations stand after what they read."""
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for place, tensor in zip(places, tensors, strict=True):
        owners[tensor.op.name].add(place.name)
    nearest: dict[str, frozenset[str]] = {}
    before: dict[str, frozenset[str]] = {}
    for operation in graph.get_operations():
        read = frozenset[str]().union(*(nearest[tensor.op.name] for tensor in operation.inputs))
        own = frozenset(owners[operation.name])
        before |= dict.fromkeys(own, own | read)
        nearest[operation.name] = own or read
    return [replace(place, before=before[place.name]) for place in places]


def upstream(places: Mapping[str, Place], names: Iterable[str]) -> frozenset[str]:
    """The layers that these are computed from, themselves included."""
    found, ahead = set[str](), list(names)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += places[name].before if name in places else ()
    return frozenset(found)
