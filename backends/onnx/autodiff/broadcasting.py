"""The adjoint of broadcasting."""

from ..ir.graph import DynamicShapeError, Graph

__all__ = ["summed_back"]


def summed_back(graph: Graph, cotangent: str, output: str, tensor: str) -> str:
    """The adjoint of broadcasting `tensor` to the shape of `output`.

    Args:
        graph: the graph to append to.
        cotangent: of the shape of `output`.
        output: what the tensor was broadcast to.
        tensor: whose shape the result has.

    Raises:
        DynamicShapeError: a size is not known, so that nobody can say whether it was broadcast.
    """
    large, small = graph.dims(output), graph.dims(tensor)
    extra = len(large) - len(small)
    axes = [a for a in range(len(large)) if a < extra or _is_broadcast(small[a - extra], large[a])]
    if not axes:
        return cotangent
    total = graph.op("ReduceSum", cotangent, graph.ints(axes), keepdims=1)
    return graph.reshape_like(total, tensor) if extra else total


def _is_broadcast(small: int | str, large: int | str) -> bool:
    if small == large or isinstance(small, int):
        return small == 1 != large
    raise DynamicShapeError(f"are sizes {small!r} and {large!r} the same, or is one broadcast?")
