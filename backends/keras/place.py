"""One layer's output: how the framework stores it, and how it looks outside."""

from dataclasses import dataclass
from math import prod
from typing import Any

import tensorflow as tf
from crosslens.model import InputSpec

__all__ = ["Origin", "Place", "in_rows", "native_shape", "outside_dtype", "to_channels_last"]


@dataclass(frozen=True)
class Origin:
    """Where a function's result is found again in another trace."""

    key: tuple[str, str, int]
    """The layer in whose code it is made, the type of the operation, and which one of those it is."""
    index: int
    """Which one of the operation's outputs."""
    slot: int | None
    """Which result of a `tf.custom_gradient` it is; None for none."""


@dataclass(frozen=True)
class Place:
    """One layer's output as the framework stores it."""

    name: str
    kind: str
    shape: tuple[int | None, ...]
    dtype: Any
    layout: str
    """From rank 4 up: channels "last" or "first", or "heads" for the tokens (N, T, heads, size) of attention."""
    source: Any = None
    """The Keras layer, or what else holds the weights."""
    aliases: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    """The layers that it is computed from with no other between; `INPUT` counts as one."""
    origin: Origin | None = None
    """Of a function's result."""

    @property
    def outside_shape(self) -> tuple[int | None, ...]:
        """Channels first; the heads of tokens side by side."""
        if len(self.shape) < 4 or self.layout == "first":
            return self.shape
        n, *inner, last = self.shape
        return (n, last, *inner) if self.layout == "last" else (n, inner[0], _merged(self.shape[2:]))

    def outside(self, a: Any) -> Any:
        """From the framework's layout to `outside_shape`; float32 where the network computes in halves."""
        a = tf.cast(a, outside_dtype(a.dtype))
        rank = len(self.shape)
        if rank < 4 or self.layout == "first":
            return a
        if self.layout == "last":
            return tf.transpose(a, [0, rank - 1, *range(1, rank - 1)])
        return tf.reshape(a, [*tf.unstack(tf.shape(a)[:2]), self.outside_shape[2] or -1])

    def inside(self, a: Any) -> Any:
        """The inverse of `outside`, hence also its adjoint."""
        a = tf.cast(a, self.dtype)
        if len(self.shape) < 4 or self.layout == "first":
            return a
        if self.layout == "last":
            return to_channels_last(a)
        return tf.reshape(a, [*tf.unstack(tf.shape(a)[:2]), *self.shape[2:]])


def _merged(shape: tuple[int | None, ...]) -> int | None:
    return None if None in shape else prod(n or 1 for n in shape)


def outside_dtype(dtype: Any) -> Any:
    """float64 stays, everything else is float32 outside."""
    return tf.float64 if dtype == tf.float64 else tf.float32


def in_rows(y: Any) -> Any:
    """One number for each image, (N,), as a row of one, (N, 1); any other output as it is."""
    return y[:, None] if y.shape.rank == 1 else y


def to_channels_last(a: Any) -> Any:
    """(N, C, H, W) to (N, H, W, C)."""
    return tf.transpose(a, [0, *range(2, a.shape.rank), 1])


def native_shape(spec: InputSpec, channels_last: bool) -> tuple[int, ...]:
    """The shape of one example image as the network takes it, without a batch axis."""
    c, *rest = spec.example_shape
    return (*rest, c) if channels_last and len(rest) > 1 else (c, *rest)
