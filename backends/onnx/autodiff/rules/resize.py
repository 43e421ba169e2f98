"""Resize: y = R x along each axis, so dx = R^T dy; the matrix R is what Resize itself makes of the unit matrix."""

from functools import partial
from typing import Any

import numpy as np
from onnx import helper

from ...ir.graph import DynamicShapeError, Graph, Node
from ...shapes.evaluate import evaluate
from ..registry import Cotangents, vjp

__all__ = ["resizing_matrix"]

_KEPT = ("mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a", "exclude_outside", "antialias")


@vjp("Resize", since=11)
def resize(g: Graph, node: Node, dy: str) -> Cotangents:
    """Every mode is linear in x, axis by axis, but for the constant that cropping outside the image leaves."""
    x = node.inputs[0]
    before, after = g.dims(x), g.dims(node.outputs[0])
    rank = len(before)
    for axis in range(rank):
        if before[axis] == after[axis] and _stays(g, node, axis):
            continue
        matrix = g.derived_constant(_name(g, node, axis), partial(_matrix, g, node, axis))
        last = [a for a in range(rank) if a != axis] + [axis]
        turned = g.op("MatMul", dy if axis == rank - 1 else g.op("Transpose", dy, perm=last), matrix)
        dy = turned if axis == rank - 1 else g.op("Transpose", turned, perm=[last.index(a) for a in range(rank)])
    return [dy, *[None] * (len(node.inputs) - 1)]


def resizing_matrix(g: Graph, node: Node, axis: int) -> np.ndarray[Any, Any] | None:
    """(out, in): what a Resize does along an axis; None where it leaves it as it is."""
    before, after = (g.sizes(name, [axis]) for name in (node.inputs[0], node.outputs[0]))
    return None if before == after and _stays(g, node, axis) else _matrix(g, node, axis)


def _stays(g: Graph, node: Node, axis: int) -> bool:
    """Whether an axis that keeps its size keeps its values too: a scale of 1.2 leaves 2 pixels 2, but moves them."""
    axes = _axes(g, node)
    scale = _scale(g, node, axis)
    crops = node.attr("coordinate_transformation_mode") == "tf_crop_and_resize"
    return axis not in axes or (scale in {None, 1} and not crops)


def _name(g: Graph, node: Node, axis: int) -> str:
    how = sorted((key, str(node.attr(key))) for key in node.attributes)
    sizes = g.dims(node.inputs[0]), g.dims(node.outputs[0])
    values = [g.value(i) if i else None for i in node.inputs[1:]]
    return f"resize:{axis}:{sizes}:{how}:{[None if v is None else v.tolist() for v in values]}:{g.elem(node.inputs[0])}"


def _matrix(g: Graph, node: Node, axis: int) -> np.ndarray[Any, Any]:
    """(out, in): the columns of the unit matrix resized along one axis."""
    (before,), (after,) = g.sizes(node.inputs[0], [axis]), g.sizes(node.outputs[0], [axis])
    how = {key: node.attr(key) for key in _KEPT if key in node.attributes}
    unit = np.eye(before, dtype=np.float32)[None, None]
    part = Graph([], {"unit": unit}, {}, [], g.opsets)
    scale, policy = _scale(g, node, axis), node.attr("keep_aspect_ratio_policy", "stretch")
    roi = _roi(g, node, axis, part)
    if policy != "stretch" and node.has(3):
        beside = _deciding(g, node, policy)
        part.constants["unit"] = np.repeat(unit.reshape(1, before, before, 1), beside[0], axis=3)
        sizes = part.ints([_size(g, node, axis), beside[1]])
        made = part.op("Resize", "unit", None, None, sizes, axes=[2, 3], keep_aspect_ratio_policy=policy, **how)
    elif scale is None:
        made = part.op("Resize", "unit", roi, None, part.ints([1, 1, after, before]), **how)
    else:
        made = part.op("Resize", "unit", roi, part.const([1, 1, scale, 1], np.float32), **how)
    part.outputs = [made]
    matrix = evaluate(part, part.nodes, [made])[made]
    matrix = matrix[0, 0] if matrix.shape[1] == 1 else matrix[0, :, :, 0].T
    return matrix.astype(helper.tensor_dtype_to_np_dtype(g.elem(node.inputs[0])))


def _axes(g: Graph, node: Node) -> list[int]:
    rank = g.rank(node.inputs[0])
    return [a % rank for a in node.attr("axes", range(rank))]


def _roi(g: Graph, node: Node, axis: int, part: Graph) -> str | None:
    """The part of the axis that is cropped, as Resize along axis 2 of 4 takes it."""
    if node.attr("coordinate_transformation_mode") != "tf_crop_and_resize":
        return None
    value, axes = g.value(node.inputs[1]), _axes(g, node)
    if value is None:
        raise DynamicShapeError(f"{node.name!r} crops where it is computed to")
    start, end = value.reshape(2, -1)[:, axes.index(axis)] if axis in axes else (0, 1)
    return part.const([0, 0, start, 0, 1, 1, end, 1], np.float32)


def _scale(g: Graph, node: Node, axis: int) -> float | None:
    """The scale as the node gives it: it need not be the ratio of the sizes."""
    value, axes = g.value(node.inputs[2]) if node.has(2) else None, _axes(g, node)
    return None if value is None or not value.size or axis not in axes else float(value[axes.index(axis)])


def _size(g: Graph, node: Node, axis: int) -> int:
    value = g.value(node.inputs[3])
    if value is None:
        raise DynamicShapeError(f"{node.name!r} has computed sizes and keeps the aspect ratio")
    return int(value[_axes(g, node).index(axis)])


def _deciding(g: Graph, node: Node, policy: str) -> tuple[int, int]:
    """Size before, and size asked for, of the axis whose scale all others take."""
    pairs = [(g.sizes(node.inputs[0], [a])[0], _size(g, node, a)) for a in _axes(g, node)]
    return (min if policy == "not_larger" else max)(pairs, key=lambda pair: pair[1] / pair[0])
