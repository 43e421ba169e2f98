"""From what the layers that read the image give to relevance of pixels."""

from weakref import WeakKeyDictionary

from array_api_compat import device

from ..arrays import Array, like, namespace
from ..model.base import INPUT, Model

__all__ = ["at_image", "to_pixels"]

_known: "WeakKeyDictionary[Model, dict[object, Array]]" = WeakKeyDictionary()
"""Weights of the size that was asked for last, by model."""


def to_pixels(model: Model, images: Array, layer: str, relevance: Array) -> Array:
    """Relevance of what lays the image out, at the pixels that it is made of, each by its weight there.

    Gains leave it alone, copies of a pixel add up, and a border of constants keeps its own.

    Args:
        model: the network.
        images: (N, C, H, W).
        layer: which lays the image out.
        relevance: of its values.
    """
    xp, weights = namespace(relevance), _weights(model, images, layer)
    shares = xp.where(weights == 0, xp.zeros_like(relevance), relevance / xp.where(weights == 0, 1 + weights, weights))
    return model.vjp(images, {layer: shares}).gradients[INPUT]


def _weights(model: Model, images: Array, layer: str) -> Array:
    """(1, ...): what a layer makes of a white image less what it makes of a black one, for images of this size."""
    known = _known.setdefault(model, {})
    key = layer, tuple(images.shape[1:]), str(images.dtype), str(device(images))
    if (weights := known.get(key)) is None:  # another thread may clear it between two looks
        xp, (low, high) = namespace(images), model.input.bounds or (0.0, 1.0)
        ones = xp.ones_like(images[:1, ...])
        ends = model.forward(xp.concat([low * ones, high * ones]), [layer])[layer]
        known.clear()
        known[key] = weights = (ends[1:, ...] - ends[:1, ...]) / (high - low)
    return weights


def at_image(model: Model, images: Array, gradient: Array, *, is_relevance: bool) -> Array:
    """Relevance of the image from the gradient there.

    Args:
        model: the network.
        images: (N, C, H, W).
        gradient: at them.
        is_relevance: whether what comes is relevance already; then the preprocessing's gain is taken out again.
    """
    gain, offset = model.preprocess.affine(images.shape[1])
    if model.preprocess.reverses:
        gain, offset = gain[::-1], offset[::-1]
    shape = (1, -1, *[1] * (images.ndim - 2))
    gain = like(gain.reshape(shape).copy(), images)
    return gradient / gain if is_relevance else gradient * (images + like(offset.reshape(shape).copy(), images) / gain)
