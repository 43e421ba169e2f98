"""The size of a model with its functions inlined, counted before they are: calls inside calls multiply."""

from collections import Counter
from collections.abc import Iterable, Mapping

from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory
from onnx import FunctionProto, ModelProto, NodeProto

from ..ir.subgraph import graphs_of

__all__ = ["MOST_NODES", "refuse_large_functions"]

MOST_NODES = 200_000
"""Maximum number of nodes after inlining; exporters' networks have a few thousand."""
BYTES_PER_BYTE = 12
"""Memory for each byte of a node in the file: the messages, their copies while they are inlined, our own nodes."""
Key = tuple[str, str, str]
Size = tuple[int, int]
"""Nodes, and bytes of their messages."""


def refuse_large_functions(model: ModelProto) -> None:
    """Refuse functions that cannot be inlined, or only to more nodes or bytes than there is room for.

    Raises:
        ModelError: a function calls itself, or they are more than `MOST_NODES` nodes then.
        MemoryLimitError: they would not fit into memory.
    """
    if not model.functions:
        return
    functions = {(_domain(f.domain), f.name, f.overload): f for f in model.functions}
    sizes: dict[Key, Size] = {}
    for key in _callees_first(functions):
        sizes[key] = _size(functions[key].node, sizes)
    nodes, size = _size(model.graph.node, sizes)
    if nodes > MOST_NODES:
        raise ModelError(
            f"the network's functions call each other so that inlined they are more than {MOST_NODES:,} nodes, the "
            "most that crosslens reads: export it without such functions"
        )
    check_memory(BYTES_PER_BYTE * size, "the network with its functions inlined", "export it without functions")


def _key(node: NodeProto) -> Key:
    return _domain(node.domain), node.op_type, node.overload


def _domain(name: str) -> str:
    return "" if name == "ai.onnx" else name


def _nodes(nodes: Iterable[NodeProto]) -> Iterable[NodeProto]:
    """Nodes and those in their subgraphs."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        for graph in graphs_of([node]):
            waiting += graph.node


def _size(nodes: Iterable[NodeProto], sizes: Mapping[Key, Size]) -> Size:
    inside = list(_nodes(nodes))
    calls = Counter(_key(node) for node in inside)
    called = [(count, sizes[key]) for key, count in calls.items() if key in sizes]
    own = sum(node.ByteSize() for node in nodes)
    return (
        len(inside) + sum(count * size[0] for count, size in called),
        own + sum(count * size[1] for count, size in called),
    )


def _callees_first(functions: Mapping[Key, FunctionProto]) -> list[Key]:
    """Functions, each behind those that it calls; without recursion, as calls may be deep.

    Raises:
        ModelError: a function calls itself, directly or through others.
    """
    calls = {key: sorted({_key(n) for n in _nodes(f.node)} & functions.keys()) for key, f in functions.items()}
    done: dict[Key, None] = {}
    for start in functions:
        path, waiting = set[Key](), [(start, False)]
        while waiting:
            key, ready = waiting.pop()
            if ready:
                path.discard(key)
                done[key] = None
            elif key in path:
                raise ModelError(f"the network's function {'.'.join(filter(None, key))!r} calls itself: it has no end")
            elif key not in done:
                path.add(key)
                waiting += [(key, True), *((called, False) for called in calls[key])]
    return list(done)
