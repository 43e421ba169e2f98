"""The channel axis of each tensor of a graph, by evidence from the operations that compute and read it.

A convolution states the axis; transpositions, reshapes and reductions move it; other operations keep it. What is known
goes forward through the graph, then backward to tensors that are still open, then forward again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

import keras
import tensorflow as tf

from .layer_tensor import LayerTensor

__all__ = ["with_channel_axes"]

Axes = dict[str, int]
_PRODUCTS = frozenset({"BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"})
_UNCLEAR = _PRODUCTS | {"MatMul", "Unpack", "Where"}
"""Operations through which shapes do not show where channels go."""
_REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "EuclideanNorm", "ArgMax", "ArgMin", "All", "Any"})
_CHANNELS_LAST = frozenset({"ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "LRN"})


def with_channel_axes(
    graph: Any,
    layers: Sequence[LayerTensor],
    tensors: Iterable[Any],
    image: tuple[Any, int | None],
    default: bool,
) -> list[LayerTensor]:
    """The layers with the axis of their channels, where they do not have it yet.

    Args:
        graph: of the trace.
        layers: the layers; a normalisation's own axis counts where the graph shows nothing.
        tensors: of each layer.
        image: the tensor of `INPUT` and the axis of its channels, None for anything but an image.
        default: whether channels are last where there is no evidence at all.
    """
    pairs = list(zip(layers, tensors, strict=True))
    hints = {y.name: axis for layer, y in pairs if (axis := _normalised_axis(layer.source, y.shape.rank)) is not None}
    axes = _channel_axes(graph, {image[0].name: image[1]} if image[1] else {}, hints)
    return [
        layer if layer.channels else replace(layer, channels=axes.get(y.name, -1 if default else 1))
        for layer, y in pairs
    ]


def _normalised_axis(layer: Any, rank: int) -> int | None:
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
    """From what operations read to what they compute."""
    for op in operations:
        for y in op.outputs:
            _settle(op, y, op.inputs, _axis_after, axes)


def _backward(operations: Sequence[Any], axes: Axes) -> None:
    """From what operations compute to what they read, if it has the batch first."""
    for op in reversed(operations):
        for x in op.inputs:
            if x.shape.rank and x.shape[0] is None:
                _settle(op, x, op.outputs, _moved_back, axes)


def _settle(
    op: Any, tensor: Any, others: Iterable[Any], move: Callable[[Any, Any, Any, int], int | None], axes: Axes
) -> None:
    """Set a tensor's axis: as the operation states it, or from what is known on the operation's other side."""
    if tensor.name in axes or not tensor.shape.rank:
        return
    axis = _axis_of_operation(op, tensor)
    if axis is None:
        moved = (move(op, other, tensor, axes[other.name]) for other in others if other.name in axes)
        axis = next((each for each in moved if each is not None), None)
    if axis is not None and 0 < axis < tensor.shape.rank:
        axes[tensor.name] = axis


def _format(op: Any) -> str:
    attributes = op.node_def.attr
    return attributes["data_format"].s.decode() if "data_format" in attributes else ""


def _axis_of_operation(op: Any, tensor: Any) -> int | None:
    """The axis that an operation itself states for a tensor that it reads or computes."""
    form, rank = _format(op), tensor.shape.rank
    if form and (rank > 3 or op.type == "BiasAdd"):
        return 1 if form.startswith("NC") else rank - 1
    if op.type in _PRODUCTS:
        return _product(op, tensor)
    if op.type == "MatMul":
        return 1
    return rank - 1 if op.type in _CHANNELS_LAST else None


def _axis_after(op: Any, x: Any, y: Any, axis: int) -> int | None:
    """The axis in an operation's output, from that in its input."""
    if op.type == "Transpose":
        order = _constant(op.inputs[1])
        return None if order is None or x is not op.inputs[0] else order.index(axis)
    if op.type in _REDUCTIONS:
        return _after_reduction(op, x, axis)
    if op.type in {"Reshape", "Squeeze", "ExpandDims"}:
        return _after_reshape(x.shape.as_list(), y.shape.as_list(), axis)
    if op.type in _UNCLEAR:
        return None
    same = x.shape.rank == y.shape.rank and x.shape[axis] in {y.shape[axis], None, 1}
    joined = op.type in {"ConcatV2", "Split", "SplitV"} and x.shape.rank == y.shape.rank
    return axis if same or joined else None


def _moved_back(op: Any, y: Any, x: Any, axis: int) -> int | None:
    """The axis in an operation's input, from that in its output."""
    if op.type == "Transpose":
        order = _constant(op.inputs[1])
        return None if order is None or x is not op.inputs[0] else int(order[axis])
    if op.type in _REDUCTIONS or op.type in _UNCLEAR:
        return axis if op.type in _REDUCTIONS and x.shape.rank == y.shape.rank else None
    if op.type in {"Reshape", "Squeeze", "ExpandDims"}:
        return _after_reshape(y.shape.as_list(), x.shape.as_list(), axis)
    return axis if x.shape.rank == y.shape.rank and x.shape[axis] == y.shape[axis] else None


def _constant(tensor: Any) -> list[int] | None:
    value = tf.get_static_value(tensor)
    return None if value is None else [int(n) for n in value.reshape(-1)]


def _after_reduction(op: Any, x: Any, axis: int) -> int | None:
    axes = _constant(op.inputs[1])
    if axes is None or x is not op.inputs[0]:
        return None
    removed = {n % x.shape.rank for n in axes}
    if op.type not in {"ArgMax", "ArgMin"} and op.get_attr("keep_dims"):
        return axis
    return None if axis in removed else axis - sum(n < axis for n in removed)


def _after_reshape(before: Sequence[int | None], after: Sequence[int | None], axis: int) -> int | None:
    """The axis of the same size with as many elements before or behind it as the channels had."""
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
    """The axis of channels in what a product reads or computes.

    Of two tensors that both have the batch, as attention's, it is the axis that they share beside it: the heads. Of one
    with weights it is the new axis.
    """
    reads, both = list(op.inputs), all(x.shape.rank and x.shape[0] is None for x in op.inputs)
    made = tensor.name == op.outputs[0].name
    if op.type == "Einsum" and len(reads) == 2:
        terms, result = op.get_attr("equation").decode().replace("...", "").split("->")
        a, b = terms.split(",")
        shared = [letter for letter in result[1:] if (letter in a and letter in b if both else letter not in a)]
        labels = result if made else a if tensor.name == reads[0].name else b
        fits = len(shared) >= 1 and (both or len(shared) == 1) and len(labels) == tensor.shape.rank
        return labels.index(shared[0]) if fits and shared[0] in labels else None
    if not op.type.startswith("BatchMatMul") or tensor.shape.rank < 4:
        return None
    return 1 if both else tensor.shape.rank - 1
