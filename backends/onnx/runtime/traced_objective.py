"""Traces an objective's own array code into ONNX operators, so that it is computed in the network's session.

An objective is defined once, in `crosslens.objective`. Code that depends on values cannot be traced: it runs on arrays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .traced_array import NotTraceableError, Operation, Shape, Trace

__all__ = ["TracedObjective", "trace"]


@dataclass(frozen=True)
class TracedObjective:
    """An objective as operations: equal for objectives that differ in the values of their arrays only."""

    layers: tuple[str, ...]
    """The layers that the first operations stand for."""
    operations: tuple[Operation, ...]
    value: int
    """Index of the operation that computes the value, (N,)."""
    cotangents: tuple[tuple[str, int], ...]
    """(layer, index of the operation that computes its cotangent)."""


def trace(
    objective: Any, shapes: Mapping[str, Shape], names: Mapping[str, str]
) -> tuple[TracedObjective, Mapping[str, np.ndarray[Any, Any]]]:
    """Trace an objective over layers of these shapes; return it and its arrays, by the index of their operation.

    Args:
        objective: a `crosslens.objective.Objective`.
        shapes: of each layer, by the name that the objective uses.
        names: the layer's own name, by the name that the objective uses.

    Raises:
        NotTraceableError: its code depends on values, or uses a function without an operator here.
    """
    recorded = Trace()
    activations = {alias: recorded.add_layer(names[alias], shape) for alias, shape in shapes.items()}
    try:
        value, cotangents = objective.value_and_cotangents(activations)
    except Exception as error:  # an error of the code itself is raised again when it runs on arrays
        raise NotTraceableError(str(error)) from error
    ends = tuple((names[alias], dy.index) for alias, dy in cotangents.items())
    if value.shape[0] != next(iter(shapes.values()))[0] or any(dy.shape != shapes[a] for a, dy in cotangents.items()):
        raise NotTraceableError("a value or a cotangent of another shape")
    traced = TracedObjective(tuple(names[alias] for alias in shapes), tuple(recorded.operations), value.index, ends)
    return traced, {str(index): array for index, array in recorded.arrays.items()}
