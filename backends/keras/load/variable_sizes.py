"""Weights are asked for their size before they are made: a layer's description may name any number of units."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import prod
from typing import Any

import keras
from crosslens.limits.memory import check_memory

__all__ = ["checked_variables"]


@contextmanager
def checked_variables(path: object) -> Iterator[None]:
    """Check each TensorFlow variable that is made within the block; Keras on torch makes none.

    Raises:
        MemoryLimitError: one would take more memory than the limit leaves.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    import tensorflow as tf

    shapes = tf.Graph()

    def create(next_creator: Any, **kwargs: Any) -> Any:
        initial = kwargs.get("initial_value")
        if callable(initial):
            # An initialiser that needs numbers, which a graph does not have, is run unchecked: it is the user's own.
            with suppress(AttributeError, NotImplementedError, TypeError), shapes.as_default():
                value = initial()
                size = prod(value.shape) * value.dtype.size
                check_memory(size, f"the weight {kwargs.get('name')!r} of '{path}'", "open a smaller network")
        return next_creator(**kwargs)

    with tf.variable_creator_scope(create):
        yield
