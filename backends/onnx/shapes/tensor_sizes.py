"""Sizes of tensors against memory, before anything computes them."""

from collections.abc import Iterable
from math import prod

from crosslens.limits.memory import check_memory
from onnx import helper

from ..ir.graph import Graph, Node
from ..ir.tensor_values import known_type

__all__ = ["element_count", "refuse_larger_than_memory"]


def element_count(graph: Graph, tensor: str) -> int | None:
    """The number of elements, for one image where the batch is free; None if a size is not known."""
    kind = graph.types.get(tensor)
    if kind is None or kind.dims is None:
        return None
    first, rest = kind.dims[:1], kind.dims[1:]
    if any(isinstance(size, str) for size in rest):
        return None
    return prod(int(size) for size in (*(n for n in first if not isinstance(n, str)), *rest))


def refuse_larger_than_memory(graph: Graph, nodes: Iterable[Node] | None = None) -> None:
    """Refuse a graph of which one tensor would not fit into memory, or all that depend on constants only together.

    By the sizes that shape inference knows; onnxruntime computes constants when it opens the graph, and keeps them.

    Raises:
        MemoryLimitError: names the node.
    """
    largest, size, together, fixed = None, 0, 0, set(graph.constants)
    for node in graph.nodes if nodes is None else nodes:
        needed = sum(_bytes(graph, output) for output in node.outputs if output)
        if fixed.issuperset(node.reads):
            fixed.update(node.outputs)
            together += needed
        if needed > size:
            largest, size = node, needed
    if largest is not None:
        shapes = ", ".join(str(graph.types[o].dims)[:80] for o in largest.outputs if o in graph.types)
        called = f"the output {shapes} of {largest.op} {(largest.name or largest.outputs[0])[:80]!r}"
        called += ", with the other constants that are computed," if together > size else ""
        check_memory(max(size, together), called, "take a network, or sizes of the image, that fit")


def _bytes(graph: Graph, tensor: str) -> int:
    count = element_count(graph, tensor)
    if count is None or known_type(graph.types[tensor].elem) is None:
        return 0
    return count * int(helper.tensor_dtype_to_np_dtype(graph.types[tensor].elem).itemsize)
