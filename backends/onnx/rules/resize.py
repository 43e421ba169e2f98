"""Resize: y = R x along each axis, so dx = R^T dy; the matrix R is what Resize itself makes of the unit matrix."""

from functools import partial
from typing import Any

import numpy as np

from ..emit import run_constants
from ..graph import DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp


@vjp("Resize", since=11)
def resize(g: Graph, node: Node, dy: str) -> Cotangents:
    """Every mode but the cropping one is linear in x, axis by axis: nearest, linear and cubic share this rule."""
    x = node.inputs[0]
    before, after = g.dims(x), g.dims(node.outputs[0])
    rank = len(before)
    for axis in range(rank):
        if before[axis] == after[axis]:
            continue
        matrix = g.derived(_name(node, before[axis], after[axis]), partial(_matrix, g, node, axis))
        last = [a for a in range(rank) if a != axis] + [axis]
        turned = g.op("MatMul", dy if axis == rank - 1 else g.op("Transpose", dy, perm=last), matrix)
        dy = turned if axis == rank - 1 else g.op("Transpose", turned, perm=[last.index(a) for a in range(rank)])
    return [dy, *[None] * (len(node.inputs) - 1)]


def _name(node: Node, before: int | str, after: int | str) -> str:
    how = sorted((key, str(node.attr(key))) for key in node.attributes)
    return f"resize:{before}:{after}:{how}:{node.inputs[1:]}"


def _matrix(g: Graph, node: Node, axis: int) -> np.ndarray[Any, Any]:
    """(out, in): the columns of the unit matrix resized along one axis."""
    (before,), (after,) = g.sizes(node.inputs[0], [axis]), g.sizes(node.outputs[0], [axis])
    part = Graph([], {"unit": np.eye(before, dtype=np.float32)[None, None]}, {}, [], g.opsets)
    keys = (
        "mode",
        "coordinate_transformation_mode",
        "nearest_mode",
        "cubic_coeff_a",
        "exclude_outside",
        "extrapolation_value",
    )
    how = {key: node.attr(key) for key in keys if key in node.attributes}
    if how.get("coordinate_transformation_mode") == "tf_crop_and_resize" or node.attr("antialias", 0):
        raise DynamicShapeError(f"{node.name!r} crops or antialiases")
    scales = _scale(g, node, axis)
    if scales is None:
        made = part.op("Resize", "unit", None, None, part.ints([1, 1, after, before]), **how)
    else:
        made = part.op("Resize", "unit", None, part.const([1, 1, scales, 1], np.float32), **how)
    part.outputs = [made]
    return run_constants(part, part.nodes, [made])[made].reshape(after, before)


def _scale(g: Graph, node: Node, axis: int) -> float | None:
    """The scale as the node gives it: it need not be the ratio of the sizes."""
    value = g.value(node.inputs[2]) if node.has(2) else None
    if value is None or not value.size:
        return None
    axes = node.attr("axes")
    return float(value[axis if axes is None else list(axes).index(axis)])
