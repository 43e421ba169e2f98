"""Batches of images and then as many references."""

from typing import Any

import tensorflow as tf

__all__ = ["both", "halves", "is_paired", "mean_of_both", "quotient"]


def is_paired(tensor: Any) -> bool:
    """Whether it is known which axis of a traced tensor is the batch."""
    return _batch_axis(tensor) is not None


def _batch_axis(tensor: Any) -> int | None:
    """The batch is the only axis of no known length that is first, or else the only one of no known length."""
    if not tensor.shape.rank:
        return None
    unknown = [axis for axis, length in enumerate(tensor.shape) if length is None]
    return unknown[0] if unknown and (unknown[0] == 0 or len(unknown) == 1) else None


def halves(values: Any) -> tuple[Any, Any]:
    """Those of the images, and those of the references."""
    first, second = tf.split(values, 2, axis=_batch_axis(values) or 0)
    return first, second


def both(values: Any) -> Any:
    """The same for images and references."""
    return tf.concat([values, values], axis=_batch_axis(values) or 0)


def mean_of_both(values: Any) -> Any:
    """At an image and at its reference the mean of the two."""
    first, second = halves(values)
    return both((first + second) / 2)


def quotient(numerator: Any, denominator: Any, near: Any) -> Any:
    """Their quotient; the numerator where the denominator is `near` 0."""
    return numerator / tf.where(near, tf.ones_like(denominator), denominator)
