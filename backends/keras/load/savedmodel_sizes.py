"""What a SavedModel would take when its functions are inlined and its constants and variables are made."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from math import prod
from pathlib import Path
from typing import Any

import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.limits.memory import check_memory
from tensorflow.core.framework.types_pb2 import DataType

__all__ = ["check_operations", "check_sizes", "check_variables"]

_MOST_NODES = 2_000_000
_KINDS = frozenset(DataType.values()) - {0}
_ADVICE = "open it on a machine with more memory"


def check_sizes(graph: Any, path: Path) -> None:
    """Check the constants of a graph, and how many operations its functions are when each call is a copy.

    Args:
        graph: a `GraphDef`.
        path: of the SavedModel, for the message.

    Raises:
        ModelError: a function calls itself, or the calls are millions of operations.
        MemoryLimitError: the constants would take more memory than the limit.
    """
    functions = {each.signature.name: each.node_def for each in graph.library.function}
    nodes = [*graph.node, *(node for own in functions.values() for node in own)]
    check_memory(sum(_size(node) for node in nodes if node.op == "Const"), f"the constants of '{path}'", _ADVICE)
    calls = {name: [callee for node in own for callee in _callees(node, functions)] for name, own in functions.items()}
    try:
        ordered = list(TopologicalSorter(calls).static_order())
    except CycleError as error:
        raise ModelError(f"the SavedModel '{path}' has a function that calls itself, {error.args[1][0]!r}") from error
    inlined = dict.fromkeys(ordered, 0)
    for name in ordered:
        inlined[name] = len(functions[name]) + sum(inlined[callee] for callee in calls[name])
    main = len(graph.node) + sum(inlined[callee] for node in graph.node for callee in _callees(node, functions))
    if (most := max([main, *inlined.values()])) > _MOST_NODES:
        raise ModelError(
            f"the SavedModel '{path}' is {most:.1e} operations when its functions are inlined; at most "
            f"{_MOST_NODES:,} are"
        )


def _size(node: Any) -> int:
    """Bytes of a constant: a text of one number may stand for any number of them."""
    tensor = node.attr["value"].tensor
    sizes = [max(0, dim.size) for dim in tensor.tensor_shape.dim]
    item = int(tf.as_dtype(tensor.dtype).size) if tensor.dtype in _KINDS else 1
    return int(prod(sizes)) * max(1, item)


def _callees(node: Any, functions: Mapping[str, Any]) -> Iterator[str]:
    if node.op in functions:
        yield node.op
    for value in node.attr.values():
        for name in (value.func.name, *(each.name for each in value.list.func)):
            if name in functions:
                yield name


def check_variables(path: Path) -> None:
    """Check the variables that a SavedModel restores, by the table of contents of their file.

    Raises:
        MemoryLimitError: they would take more memory than the limit.
    """
    prefix = path / "variables" / "variables"
    if not prefix.with_suffix(".index").exists():
        return
    reader = tf.train.load_checkpoint(str(prefix))
    kinds = reader.get_variable_to_dtype_map()
    total = sum(prod(shape) * kinds[name].size for name, shape in reader.get_variable_to_shape_map().items())
    check_memory(2 * total, f"the variables of '{path}'", _ADVICE)


def check_operations(graph: Any) -> None:
    """Check the largest tensor of a traced graph, for one image, as far as shapes are known.

    Raises:
        MemoryLimitError: it would take more memory than the limit.
    """
    tensors = [tensor for op in graph.get_operations() for tensor in op.outputs if tensor.shape.rank is not None]
    sizes = [(prod(n or 1 for n in tensor.shape) * max(1, tensor.dtype.size or 1), tensor.name) for tensor in tensors]
    size, name = max(sizes, default=(0, ""))
    check_memory(size, f"the tensor {name!r}", _ADVICE)
