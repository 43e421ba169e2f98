"""Reverse-mode differentiation of a graph that is being traced, with own rules at some of its operations."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.ops import get_gradient_function

__all__ = ["ASIDE", "Flows", "Rule", "names_between", "operation_gradients", "pull_back", "total"]

ASIDE = object()
Flows = Iterable[tuple[Any, ...]]
"""(tensor, what is added to its gradient), None for nothing; (tensor, gradient, ASIDE) if it passes no further."""
Rule = Callable[[Any, Sequence[Any]], Flows]
"""rule(operation, gradients at its outputs): what it passes back; None stands for a gradient of zero."""
_REAL = (tf.float16, tf.bfloat16, tf.float32, tf.float64)


def pull_back(
    targets: Sequence[Any],
    seeds: Sequence[Any],
    sources: Sequence[Any],
    rules: Mapping[str, Rule] | None = None,
    *,
    stop: bool = False,
) -> list[Any]:
    """The gradient of sum_k <seed_k, target_k> at each source; None where there is none.

    Args:
        targets: tensors of the graph being traced.
        seeds: the cotangent of each.
        sources: tensors of the same graph; one may be computed from another.
        rules: by the name of an operation, what takes the place of its gradient.
        stop: whether the sources are constants for each other.

    Raises:
        LookupError: TensorFlow has no gradient for an operation on the way.
    """
    given: defaultdict[str, list[Any]] = defaultdict(list)
    aside: defaultdict[str, list[Any]] = defaultdict(list)
    for target, seed in zip(targets, seeds, strict=True):
        given[target.name].append(seed)
    stops = {source.name for source in sources} if stop else set()
    on_the_way = _between(targets, sources, stops)
    with tf.name_scope("gradients"):
        for operation in sorted(on_the_way.values(), key=lambda each: each._id, reverse=True):
            cotangents = [_sum_in_place(given, tensor) for tensor in operation.outputs]
            if all(dy is None for dy in cotangents):
                continue
            for tensor, dx, *marks in (rules or {}).get(operation.name, _plain)(operation, cotangents):
                if dx is not None:
                    (aside if marks else given)[tensor.name].append(dx)
        for name, parts in aside.items():
            given[name] += parts
        return [_sum_in_place(given, source) for source in sources]


def operation_gradients(operation: Any, cotangents: Sequence[Any]) -> list[Any]:
    """TensorFlow's gradient of one operation: for each input what `tf.gradients` would pass on, or None."""
    try:
        function = get_gradient_function(operation)
    except LookupError:
        return _by_tf_gradients(operation, cotangents)
    if function is None:
        return [None] * len(operation.inputs)
    filled = [_zeros(y) if dy is None else dy for y, dy in zip(operation.outputs, cotangents, strict=True)]
    gradients = function(operation, *filled)
    return list(gradients) if isinstance(gradients, list | tuple) else [gradients]


def names_between(start: Any, end: Any) -> set[str]:
    """The names of the tensors by way of which `end` is computed from `start`; neither of the two."""
    operations = _between([end], [start], {start.name}).values()
    return {tensor.name for operation in operations for tensor in operation.outputs} - {end.name}


def total(parts: Sequence[Any]) -> Any:
    """The sum of gradients of one tensor; None of none."""
    dense = [tf.convert_to_tensor(part) for part in parts]
    return tf.add_n(dense) if len(dense) > 1 else next(iter(dense), None)


def _plain(operation: Any, cotangents: Sequence[Any]) -> Flows:
    return zip(operation.inputs, operation_gradients(operation, cotangents), strict=True)


def _by_tf_gradients(operation: Any, cotangents: Sequence[Any]) -> list[Any]:
    """Of a function that was imported with a graph, which has no registered gradient."""
    known = [(y, dy) for y, dy in zip(operation.outputs, cotangents, strict=True) if dy is not None]
    inputs = [tensor for tensor in operation.inputs if tensor.dtype in _REAL]
    outputs, seeds = zip(*known, strict=True)
    gradients = iter(tf.gradients(list(outputs), inputs, list(seeds), stop_gradients=inputs))
    return [next(gradients) if tensor.dtype in _REAL else None for tensor in operation.inputs]


def _zeros(tensor: Any) -> Any:
    return tf.zeros_like(tensor) if tensor.dtype in _REAL else None


def _sum_in_place(given: "defaultdict[str, list[Any]]", tensor: Any) -> Any:
    if tensor.name not in given:
        return None
    given[tensor.name] = [total(given[tensor.name])]
    return given[tensor.name][0]


def _between(targets: Sequence[Any], sources: Sequence[Any], stops: set[str]) -> dict[str, Any]:
    """By name the operations that the targets are computed by and that are computed from the sources."""
    above: dict[str, Any] = {}
    waiting = [target for target in targets if target.name not in stops]
    while waiting:
        operation = waiting.pop().op
        if operation.name not in above:
            above[operation.name] = operation
            waiting.extend(tensor for tensor in operation.inputs if tensor.name not in stops)
    reached = {source.name for source in sources}
    between = {}
    for name, operation in sorted(above.items(), key=lambda item: item[1]._id):
        if any(tensor.name in reached for tensor in operation.inputs):
            between[name] = operation
            reached.update(tensor.name for tensor in operation.outputs)
    return between
