"""One layer's output: its layout in TensorFlow, and conversion to and from the contract's layout."""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.model import OUTPUT, InputSpec

__all__ = [
    "HEADS",
    "LayerTensor",
    "Origin",
    "activation_name",
    "as_rows",
    "is_rectified",
    "native_shape",
    "output_tensor",
    "outside_dtype",
    "to_channels_last",
]

HEADS = -99
"""In place of an axis of channels: tokens (N, T, heads, size) of attention."""


@dataclass(frozen=True)
class Origin:
    """How a function's result is identified in another trace."""

    key: tuple[str, str, int]
    """The layer that was running, the type of the operation, and its number among those."""
    index: int
    """Which one of the operation's outputs."""
    slot: int | None
    """The number of the result, if it is one of a `tf.custom_gradient`; else None."""


@dataclass(frozen=True)
class LayerTensor:
    """One layer's output as TensorFlow stores it."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    dtype: Any
    channels: int = 0
    """From rank 4 up: the axis of channels, -1 for the last; or `HEADS`. 0 as long as it is not known."""
    source: Any = None
    """The Keras layer, or what else holds the weights."""
    aliases: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """The layers that it is computed from with no other between; `INPUT` counts as one."""
    origin: Origin | None = None
    """Of a function's result."""
    is_rectified: bool = False
    """Whether its last operation is a rectifier or a clip from 0, whatever called it."""

    @property
    def outside_shape(self) -> tuple[int | None, ...]:
        """Channels first; the heads of tokens side by side."""
        if self.has_heads:
            return (*self.shape[:2], _product(self.shape[2:]))
        return tuple(self.shape[axis] for axis in self._order)

    def outside(self, a: Any) -> Any:
        """From the framework's layout to `outside_shape`; float32 where the network computes in halves."""
        a = tf.cast(a, outside_dtype(a.dtype))
        if self.has_heads:
            return tf.reshape(a, [*tf.unstack(tf.shape(a)[:2]), self.outside_shape[2] or -1])
        return a if self._order == sorted(self._order) else tf.transpose(a, self._order)

    def inside(self, a: Any) -> Any:
        """The inverse of `outside`, hence also its adjoint."""
        a = tf.cast(a, self.dtype)
        if self.has_heads:
            return tf.reshape(a, [*tf.unstack(tf.shape(a)[:2]), *self.shape[2:]])
        return a if self._order == sorted(self._order) else tf.transpose(a, np.argsort(self._order))

    @property
    def has_heads(self) -> bool:
        """Whether these are tokens (N, T, heads, size), whose heads stand side by side outside."""
        return self.channels == HEADS and len(self.shape) == 4

    @property
    def _order(self) -> list[int]:
        """The axes in the order that they have outside."""
        rank = len(self.shape)
        if rank < 4 or self.channels == HEADS:
            return list(range(rank))
        channels = self.channels % rank or 1
        return [0, channels, *(axis for axis in range(1, rank) if axis != channels)]


def _product(shape: tuple[int | None, ...]) -> int | None:
    return None if None in shape else prod(n or 1 for n in shape)


def outside_dtype(dtype: Any) -> Any:
    """float64 stays, everything else is float32 outside."""
    return tf.float64 if dtype == tf.float64 else tf.float32


def output_tensor(y: Any) -> LayerTensor:
    """The network's output.

    Raises:
        ModelError: TensorFlow does not know how many axes it has.
    """
    if y.shape.rank is None:
        raise ModelError(
            "TensorFlow cannot tell how many axes the network's output has; end the network with tf.ensure_shape"
        )
    return LayerTensor(OUTPUT, "Output", tuple(y.shape), y.dtype)


def as_rows(y: Any) -> Any:
    """One number for each image, (N,), as a row of one, (N, 1); any other output as it is."""
    return y[:, None] if y.shape.rank == 1 else y


def to_channels_last(a: Any) -> Any:
    """(N, C, H, W) to (N, H, W, C)."""
    return tf.transpose(a, [0, *range(2, a.shape.rank), 1])


def native_shape(spec: InputSpec, channels_last: bool) -> tuple[int, ...]:
    """The shape of one example image as the network takes it, without a batch axis."""
    c, *rest = spec.example_shape
    return (*rest, c) if channels_last and len(rest) > 1 else (c, *rest)


def activation_name(layer_tensor: LayerTensor) -> str:
    """The name of the function that a layer applies at last; its kind where that says as much."""
    if layer_tensor.is_rectified:
        return "relu"
    return str(getattr(getattr(layer_tensor.source, "activation", None), "__name__", layer_tensor.kind))


def is_rectified(y: Any) -> bool:
    """Whether the operation that gives a tensor is a rectifier, or the last one of `tf.clip_by_value` from 0."""
    if y.op.type in {"Relu", "Relu6", "LeakyRelu"}:
        return True
    if y.op.type != "Maximum" or y.op.inputs[0].op.type != "Minimum":
        return False
    low, high = (tf.get_static_value(each.inputs[1]) for each in (y.op, y.op.inputs[0].op))
    return low is not None and high is not None and bool(np.all(low == 0) and np.all(high > 0))
