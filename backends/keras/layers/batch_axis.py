"""Which layers have the batch as first axis: by their shapes in a trace of a known number of images."""

from collections.abc import Callable, Collection, Sequence
from math import prod
from typing import Any

import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.model import OUTPUT

from .layer_tensor import LayerTensor

__all__ = ["batch_first"]

_IMAGES = 1009
"""Images of the second trace: a prime number that no other axis has."""
_MAY_MOVE_BATCH = frozenset(
    {
        *("BatchToSpace", "BatchToSpaceND", "SpaceToBatch", "SpaceToBatchND"),
        *("DynamicPartition", "DynamicStitch", "GatherNd", "GatherV2", "Pack", "Slice", "Unpack", "Where"),
        *("TensorListStack", "TensorListConcatV2", "PartitionedCall", "StatefulPartitionedCall"),
        *("Case", "If", "While", "StatelessCase", "StatelessIf", "StatelessWhile"),
    }
)
"""Operations that may put another axis first, or make the first one longer."""


def batch_first(listed: Callable[[int | None], tuple[Sequence[LayerTensor], Any]]) -> list[LayerTensor]:
    """The layers whose tensors have the batch first.

    Args:
        listed: traces the network with so many images, None for any number; returns its layers and the graph.

    Raises:
        ModelError: the output does not have the batch first.
    """
    every, graph = listed(None)
    with_batch: Collection[Any] = {_identity(layer) for layer in every}
    if not all(_keeps_batch(operation) for operation in graph.get_operations()):
        again, _ = listed(_IMAGES)
        with_batch = {_identity(layer) for layer in again if layer.shape[:1] == (_IMAGES,)}
    layers = [layer for layer in every if layer.shape[:1] == (None,) and _identity(layer) in with_batch]
    if not layers or layers[-1].name != OUTPUT:
        raise ModelError(
            f"the network's output has shape {every[-1].shape}, whose first axis is not that of the images; wrap a "
            "model that puts it first, with keras.ops.transpose for example"
        )
    return layers


def _identity(layer: LayerTensor) -> Any:
    return layer.origin or layer.name


def _keeps_batch(operation: Any) -> bool:
    """Whether an operation's output certainly has the same first axis as its input."""
    if not any(y.dtype.is_floating and (not y.shape.rank or y.shape[0] is None) for y in operation.outputs):
        return True
    if operation.type == "Reshape":
        before, after = (_rest(tensor.shape) for tensor in (operation.inputs[0], operation.outputs[0]))
        return before is not None and before == after
    if operation.type in {"Transpose", "Tile", "ConcatV2"}:
        value = tf.get_static_value(operation.inputs[-1])
        return value is not None and _first(operation.type, value.reshape(-1), operation.outputs[0].shape.rank)
    if operation.type == "StridedSlice":
        steps = tf.get_static_value(operation.inputs[3])
        whole = operation.get_attr("begin_mask") & operation.get_attr("end_mask") & 1
        return bool(whole and steps is not None and steps[0] == 1)
    return operation.type not in _MAY_MOVE_BATCH


def _first(kind: str, value: Any, rank: int) -> bool:
    return bool({"Transpose": value[0] == 0, "Tile": value[0] == 1, "ConcatV2": value[0] % rank}[kind])


def _rest(shape: Any) -> int | None:
    """The number of elements for each index of the first axis, where that is known."""
    sizes = shape.as_list()[1:] if shape.rank else [None]
    return None if None in sizes else prod(sizes)
