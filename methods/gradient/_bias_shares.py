"""What each layer's biases contribute to a target, for FullGrad (Srinivas and Fleuret, 2019, proposition 1)."""

from collections.abc import Mapping, Sequence

from crosslens.arrays import Array, like, namespace
from crosslens.errors import ModelError
from crosslens.model import Model, Pullback

__all__ = ["TOLERANCE", "bias_shares"]

TOLERANCE = 1e-3
"""How far the parts may miss the target, relative to the sum of the layers' shares: float32 on a deep network."""


def bias_shares(model: Model, inner: Sequence[str], pull: Pullback) -> dict[str, Array]:
    """df/db b of each layer that adds a bias, of the shape of its activation.

    Args:
        model: the network.
        inner: its layers in order, without image and output.
        pull: their activations, and the target's gradient at each.
    """
    shares = {}
    for index, name in enumerate(inner):
        y, dy = pull.activations[name], pull.gradients[name]
        before = [x for x in (pull.activations[n] for n in reversed(inner[:index])) if x.shape == y.shape]
        weights = model.weights(name)
        if "variance" in weights:
            shares[name] = dy * _per_channel(_norm_bias(weights, y, before, name), y)
        elif "bias" in weights:
            shares[name] = _gradient_before_rectifier(dy, y) * _per_channel(like(weights["bias"], y), y)
        elif not weights and (cut_off := _cut_off_by_ceiling(y, before)) is not None:
            shares[name] = dy * cut_off
    return shares


def _per_channel(values: Array, y: Array) -> Array:
    shape = (1, *values.shape, *[1] * (y.ndim - 2)) if y.ndim != 3 else (1, 1, *values.shape)
    return namespace(y).reshape(values, shape)


def _gradient_before_rectifier(dy: Array, y: Array) -> Array:
    """The gradient before a rectifier that is part of the layer itself, as Keras' `activation="relu"` is."""
    xp = namespace(y)
    return xp.where(y > 0, dy, xp.zeros_like(dy)) if float(xp.min(y)) >= 0 else dy


def _norm_bias(weights: Mapping[str, Array], y: Array, before: Sequence[Array], name: str) -> Array:
    """b of a normalisation y = a x + b, (C,), with b = offset - a mean; a by regression on its input, one of `before`.

    Raises:
        ModelError: its input is not a layer of this model.
    """
    xp = namespace(y)
    axes = tuple(i for i in range(y.ndim) if i != 1)
    mean = like(weights["mean"], y)
    offset = like(weights["offset"], y) if "offset" in weights else xp.zeros_like(mean)
    out = y - _per_channel(offset, y)
    for x in before:
        centred = x - _per_channel(mean, y)
        squares = xp.sum(centred * centred, axis=axes)
        gain = xp.sum(centred * out, axis=axes) / xp.where(squares > 0, squares, xp.ones_like(squares))
        if float(xp.max(xp.abs(out - _per_channel(gain, y) * centred))) <= TOLERANCE * float(xp.max(xp.abs(out))):
            return offset - gain * mean
    raise ModelError(
        f"the input of the normalisation {name!r} is not a layer of this model, so its bias is not known, and "
        "FullGrad needs every bias; use integrated_gradients, whose values are complete on any network"
    )


def _cut_off_by_ceiling(y: Array, before: Sequence[Array]) -> Array | None:
    """What a ReLU with a ceiling (ReLU6) adds: y where it has cut something off, else 0; None for any other layer."""
    xp = namespace(y)
    zero, ceiling = xp.zeros_like(y), xp.zeros_like(y) + xp.max(y)
    for x in before:
        cut = x > ceiling
        if bool(xp.any(cut)) and bool(xp.all(xp.where(cut, ceiling, xp.where(x > 0, x, zero)) == y)):
            return xp.where(cut, y, zero)
    return None
