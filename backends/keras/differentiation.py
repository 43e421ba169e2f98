"""A user's own function of activations, differentiated by a tape."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
from crosslens.arrays import Array, as_numpy

__all__ = ["differentiate"]


def differentiate(
    function: Callable[..., Any], arrays: Sequence[Array], *, gradient: bool
) -> tuple[Array, Sequence[Array]] | None:
    """As `crosslens.model.backend.BackendModel.differentiate`; None where the result does not depend on an array."""
    tensors = [tf.constant(as_numpy(array)) for array in arrays]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        values = function(*tensors)
    if not gradient:
        return as_numpy(values), ()
    if not tf.is_tensor(values):
        return None
    gradients = tape.gradient(values, tensors)
    if all(each is None for each in gradients):
        return None
    dense = [
        tf.zeros_like(t) if g is None else tf.convert_to_tensor(g) for g, t in zip(gradients, tensors, strict=True)
    ]
    return as_numpy(values), [each.numpy() for each in dense]
