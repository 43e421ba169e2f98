"""Where each tensor of a graph has its channels: found by what made it and by what reads it, never presumed.

A convolution says where; transpositions, reshapes and reductions move the axis; anything else keeps it. What is known
goes forward through the graph, then backward to what nothing before tells, then forward again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import keras
import tensorflow as tf

from .layer_tensor import Place

__all__ = ["located"]

Axes = dict[str, int]
_PRODUCTS = frozenset({"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"})
_SETTLED = _PRODUCTS | {"MatMul", "Unpack", "Where"}
"""Operations of which neither shapes nor what they read tell where channels go, but for their own rules."""
_REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "EuclideanNorm", "ArgMax", "ArgMin", "All", "Any"})
_PLACES_FIRST = frozenset({"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "LRN"})


def located(
    graph: Any, places: Sequence[Place], tensors: Iterable[Any], image: tuple[Any, int | None], default: bool
) -> list[Place]:
    """The places with the axis of their channels, but for those of which it is settled.

    Args:
        graph: of the trace.
        places: the layers; what a layer that normalises says is taken where the graph tells nothing.
        tensors: of each place.
        image: the tensor of `INPUT` and the axis of its channels, None for what is no image.
        default: whether channels are last where there is no evidence at all.
    """
    pairs = list(zip(places, tensors, strict=True))
    hints = {y.name: axis for place, y in pairs if (axis := _normalised(place.source, y.shape.rank)) is not None}
    axes = _channel_axes(graph, {image[0].name: image[1]} if image[1] else {}, hints)
    return [
        place if place.channels else replace(place, channels=axes.get(y.name, -1 if default else 1))
        for place, y in pairs
    ]


def _normalised(layer: Any, rank: int) -> int | None:
    """The one axis along which a layer of Keras holds its parameters."""
    kinds = (keras.layers.BatchNormalization, keras.layers.LayerNormalization, keras.layers.GroupNormalization)
    if not isinstance(layer, kinds):
        return None
    axes = [layer.axis] if isinstance(layer.axis, int) else list(layer.axis)
    return axes[0] % rank if len(axes) == 1 else None


def _channel_axes(graph: Any, known: Mapping[str, int], hints: Mapping[str, int]) -> Axes:
    """The axis of channels of each tensor where there is evidence.

    Args:
        graph: of a trace, its operations after what they read.
        known: by tensor, what is known from outside: the image's.
        hints: by tensor, what holds where the graph alone does not tell: the axis that a layer normalises.
    """
    operations = graph.get_operations()
    axes = dict(known)
    _forward(operations, axes)
    _backward(operations, axes)
    _forward(operations, axes)
    for name, axis in hints.items():
        axes.setdefault(name, axis)
    _backward(operations, axes)
    _forward(operations, axes)
    return axes


def _forward(operations: Iterable[Any], axes: Axes) -> None:
    for op in operations:
        for y in op.outputs:
            if y.name in axes or not y.shape.rank:
                continue
            axis = _stated(op, y)
            if axis is None:
                axis = next(
                    (a for x in op.inputs if x.name in axes and (a := _moved(op, x, y, axes[x.name])) is not None), None
                )
            if axis is not None and 0 < axis < y.shape.rank:
                axes[y.name] = axis


def _backward(operations: Sequence[Any], axes: Axes) -> None:
    for op in reversed(operations):
        for x in op.inputs:
            if x.name in axes or not x.shape.rank or x.shape[0] is not None:
                continue
            axis = _stated(op, x)
            if axis is None:
                axis = next(
                    (a for y in op.outputs if y.name in axes and (a := _back(op, x, y, axes[y.name])) is not None), None
                )
            if axis is not None and 0 < axis < x.shape.rank:
                axes[x.name] = axis


def _format(op: Any) -> str:
    attributes = op.node_def.attr
    return attributes["data_format"].s.decode() if "data_format" in attributes else ""


def _stated(op: Any, tensor: Any) -> int | None:
    """What an operation itself says of a tensor that it reads or makes."""
    form, rank = _format(op), tensor.shape.rank
    if form and (rank > 3 or op.type == "BiasAdd"):
        return 1 if form.startswith("NC") else rank - 1
    if op.type in _PRODUCTS:
        return _product(op, tensor)
    if op.type == "MatMul":
        return 1
    return rank - 1 if op.type in _PLACES_FIRST else None


def _moved(op: Any, x: Any, y: Any, axis: int) -> int | None:
    """The axis in what an operation gives, from the axis in what it reads."""
    if op.type == "Transpose":
        order = _constant(op.inputs[1])
        return None if order is None or x is not op.inputs[0] else order.index(axis)
    if op.type in _REDUCTIONS:
        return _reduced(op, x, axis)
    if op.type in {"Reshape", "Squeeze", "ExpandDims"}:
        return _reshaped(x.shape.as_list(), y.shape.as_list(), axis)
    if op.type in _SETTLED:
        return None
    same = x.shape.rank == y.shape.rank and x.shape[axis] in {y.shape[axis], None, 1}
    joined = op.type in {"ConcatV2", "Split", "SplitV"} and x.shape.rank == y.shape.rank
    return axis if same or joined else None


def _back(op: Any, x: Any, y: Any, axis: int) -> int | None:
    """The axis in what an operation reads, from the axis in what it gives."""
    if op.type == "Transpose":
        order = _constant(op.inputs[1])
        return None if order is None or x is not op.inputs[0] else int(order[axis])
    if op.type in _REDUCTIONS or op.type in _SETTLED:
        return axis if op.type in _REDUCTIONS and x.shape.rank == y.shape.rank else None
    if op.type in {"Reshape", "Squeeze", "ExpandDims"}:
        return _reshaped(y.shape.as_list(), x.shape.as_list(), axis)
    return axis if x.shape.rank == y.shape.rank and x.shape[axis] == y.shape[axis] else None


def _constant(tensor: Any) -> list[int] | None:
    value = tf.get_static_value(tensor)
    return None if value is None else [int(n) for n in value.reshape(-1)]


def _reduced(op: Any, x: Any, axis: int) -> int | None:
    reduced = _constant(op.inputs[1])
    if reduced is None or x is not op.inputs[0]:
        return None
    gone = {n % x.shape.rank for n in reduced}
    if op.type not in {"ArgMax", "ArgMin"} and op.get_attr("keep_dims"):
        return axis
    return None if axis in gone else axis - sum(n < axis for n in gone)


def _reshaped(before: Sequence[int | None], after: Sequence[int | None], axis: int) -> int | None:
    """The axis that has as many places before or behind it as the channels had."""
    size = before[axis]
    for other in range(1, len(after)):
        if size is not None and after[other] == size:
            ahead = _count(before[1:axis]), _count(after[1:other])
            behind = _count(before[axis + 1 :]), _count(after[other + 1 :])
            if any(a is not None and a == b for a, b in (ahead, behind)):
                return other
    return None


def _count(shape: Sequence[int | None]) -> int | None:
    return None if None in shape else prod(n or 1 for n in shape)


def _product(op: Any, tensor: Any) -> int | None:
    """The axis of channels in what a product reads or makes.

    Of two tensors that both have the batch, as attention's, it is the axis that they share beside it: the heads. Of one
    with weights it is the new axis.
    """
    reads, both = list(op.inputs), all(x.shape.rank and x.shape[0] is None for x in op.inputs)
    made = tensor.name == op.outputs[0].name
    if op.type == "Einsum" and len(reads) == 2:
        terms, result = op.get_attr("equation").decode().replace("...", "").split("->")
        a, b = terms.split(",")
        shared = [letter for letter in result[1:] if (letter in a and letter in b if both else letter not in a)]
        place = result if made else a if tensor.name == reads[0].name else b
        fits = len(shared) >= 1 and (both or len(shared) == 1) and len(place) == tensor.shape.rank
        return place.index(shared[0]) if fits and shared[0] in place else None
    if not op.type.startswith("BatchMatMul") or tensor.shape.rank < 4:
        return None
    return 1 if both else tensor.shape.rank - 1
