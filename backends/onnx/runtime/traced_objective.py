"""An objective"s own array code as ONNX operators, so that it is computed in the network"s session."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .traced_array import Shape, Sheet, Step, UnwritableError

__all__ = ["Written", "written"]


@dataclass(frozen=True)
class Written:
    """An objective as steps on stand-ins: equal for objectives that differ in their values only."""

    layers: tuple[str, ...]
    """What the first steps stand for."""
    steps: tuple[Step, ...]
    value: int
    cotangents: tuple[tuple[str, int], ...]
    """By layer, the step that computes it."""


def written(
    objective: Any, shapes: Mapping[str, Shape], names: Mapping[str, str]
) -> tuple[Written, Mapping[str, np.ndarray[Any, Any]]]:
    """An objective over layers of these shapes as steps, and what it brings along, by the place of its step.

    Args:
        objective: a `crosslens.objective.Objective`.
        shapes: by the name under which it reads a layer.
        names: the layer's own name for it.

    Raises:
        UnwritableError: it cannot be written down.
    """
    sheet = Sheet()
    seen = {asked: sheet.entry(names[asked], shape) for asked, shape in shapes.items()}
    try:
        value, cotangents = objective.value_and_cotangents(seen)
    except Exception as error:  # whatever is wrong with the code itself, arrays will tell
        raise UnwritableError(str(error)) from error
    ends = tuple((names[asked], dy.place) for asked, dy in cotangents.items())
    if value.shape[0] != next(iter(shapes.values()))[0] or any(dy.shape != shapes[a] for a, dy in cotangents.items()):
        raise UnwritableError("a value or a cotangent of another shape")
    made = Written(tuple(names[asked] for asked in shapes), tuple(sheet.steps), value.place, ends)
    return made, {str(place): array for place, array in sheet.given.items()}
