"""Which layers each layer is computed from, read off autograd's graph of one pass."""

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeAlias

from torch.autograd.graph import GradientEdge

__all__ = ["Reads", "direct_inputs", "upstream"]

Reads: TypeAlias = Mapping[str, tuple[str, ...]]
"""The layers that each layer is computed from with no other layer between."""


def direct_inputs(edges: Mapping[str, GradientEdge]) -> Reads:
    """What each layer reads; `edges` are the layers' own, in execution order.

    A tensor may be the output of several layers, of a module and of its last child: the later one then reads the
    earlier one, and what reads the tensor reads the last.
    """
    names: dict[Any, list[str]] = {}
    for name, edge in edges.items():
        names.setdefault((edge.node, edge.output_nr), []).append(name)
    reads: dict[str, tuple[str, ...]] = {}
    for edge, (first, *later) in names.items():
        reads[first] = tuple(names[each][-1] for each in _nearest(edge, names))
        reads |= {name: (before,) for before, name in pairwise((first, *later))}
    return reads


def _nearest(edge: Any, known: Container[Any]) -> Iterator[Any]:
    """The known edges that a walk against the flow meets first, in the order of arguments."""
    node, _ = edge
    ahead, visited = [*reversed(node.next_functions)], set[Any]()
    while ahead:
        before = ahead.pop()
        if before[0] is None or before in visited:
            continue
        visited.add(before)
        if before in known:
            yield before
        else:
            ahead += reversed(before[0].next_functions)


def upstream(reads: Reads, names: Iterable[str]) -> frozenset[str]:
    """The layers that the named ones are computed from, themselves included."""
    visited, ahead = set[str](), [name for name in names if name in reads]
    while ahead:
        name = ahead.pop()
        if name not in visited:
            visited.add(name)
            ahead += reads[name]
    return frozenset(visited)
