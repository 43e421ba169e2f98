"""What rules ask of a traced graph: which tensors depend on the image, and parts of it computed anew."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["MOVES", "GraphFacts", "compute_anew", "copied"]

MOVES = frozenset(
    {
        "Identity", "Reshape", "Squeeze", "ExpandDims", "Transpose", "Pad", "PadV2", "Cast", "StridedSlice",
        "SpaceToBatchND", "BatchToSpaceND", "Snapshot", "EnsureShape",
    }
)  # fmt: skip
"""Operations that only move the values of their first input, or put zeros between them."""
_SHAPES = frozenset({"Shape", "ShapeN", "Size", "Rank", "ZerosLike", "OnesLike"})


class GraphFacts:
    """Which tensors of a graph depend on the image, and what reads each."""

    def __init__(self, graph: Any, roots: Sequence[Any], constants: Iterable[Any] = ()) -> None:
        """Look at the operations created so far.

        Args:
            graph: the one that is being traced.
            roots: the image, and activations that were put in place of a layer's own.
            constants: tensors that count as such though they depend on the image.
        """
        self.operations = tuple(graph.get_operations())
        self._graph, self._roots = graph, roots
        self.varying = {tensor.name for tensor in roots}
        constant = {tensor.name for tensor in constants}
        self.readers: defaultdict[str, list[Any]] = defaultdict(list)
        for operation in self.operations:
            for tensor in operation.inputs:
                self.readers[tensor.name].append(operation)
            if operation.type not in _SHAPES and any(tensor.name in self.varying for tensor in operation.inputs):
                self.varying.update(tensor.name for tensor in operation.outputs if tensor.name not in constant)

    def without(self, constants: Iterable[Any]) -> "GraphFacts":
        """The same with these tensors as constants."""
        return GraphFacts(self._graph, self._roots, constants)

    def varies(self, tensor: Any) -> bool:
        """Whether a tensor of real numbers depends on the image."""
        return tensor.name in self.varying and bool(tensor.dtype.is_floating)

    def varying_inputs(self, operation: Any) -> list[int]:
        """The inputs of real numbers that depend on the image, by their places."""
        return [place for place, tensor in enumerate(operation.inputs) if self.varies(tensor)]


def copied(operation: Any, inputs: Sequence[Any]) -> Any:
    """The same operation on other inputs."""
    return operation.graph._create_op_internal(
        operation.type,
        list(inputs),
        [tensor.dtype for tensor in operation.outputs],
        attrs=dict(operation.node_def.attr),
        op_def=operation.op_def,
    )


def compute_anew(tensor: Any, given: Mapping[str, Any], inside: Collection[str]) -> Any:
    """What a tensor would be with others in place of those that it is computed from.

    Args:
        tensor: of the graph that is being traced.
        given: the new values by the names of the old tensors.
        inside: the names of the operations that may be computed anew; what others give stays as it is.
    """
    known = dict(given)
    waiting = [tensor]
    while waiting:
        current = waiting[-1]
        operation = current.op
        if current.name in known or operation.name not in inside:
            known.setdefault(current.name, current)
            waiting.pop()
            continue
        missing = [each for each in operation.inputs if each.name not in known]
        if missing:
            waiting.extend(missing)
            continue
        inputs = [known[each.name] for each in operation.inputs]
        changed = any(a is not b for a, b in zip(inputs, operation.inputs, strict=True))
        with tf.name_scope("anew"):
            outputs = copied(operation, inputs).outputs if changed else operation.outputs
        known.update({old.name: new for old, new in zip(operation.outputs, outputs, strict=True)})
        waiting.pop()
    return known[tensor.name]
