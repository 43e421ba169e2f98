"""The epsilon of a normalisation, which networks do not show: fitted to what the normalisation does."""

from collections.abc import Mapping

import numpy as np

from .similarity import Values, relative_l2

__all__ = ["channel_gains", "epsilon_from_gains", "fitted_epsilon"]

LINEAR = 1e-3
"""Relative error up to which a layer is a gain and an offset by channel of the one before it."""


def channel_gains(norm: Mapping[str, Values], epsilon: float) -> Values:
    """What a normalisation multiplies each channel by: scale / sqrt(variance + epsilon), (C,)."""
    variance = norm["variance"].astype(np.float64)
    return np.asarray(norm.get("scale", np.ones_like(variance)) / np.sqrt(np.maximum(variance + epsilon, 1e-30)))


def epsilon_from_gains(gain: Values, norm: Mapping[str, Values]) -> float | None:
    """The epsilon that gives these gains (C,), channels weighted by their accuracy; None if none tells it."""
    variance = norm["variance"].astype(np.float64)
    scale = norm["scale"].astype(np.float64) if "scale" in norm else np.ones_like(variance)
    known = (np.abs(gain) > 1e-12) & (np.abs(scale) > 1e-6 * np.abs(scale).max(initial=0))
    if not known.any():
        return None
    epsilon = (scale[known] / gain[known]) ** 2 - variance[known]
    weight = 1 / (variance[known] + np.abs(epsilon) + 1e-12) ** 2
    return max(0.0, float((weight * epsilon).sum() / weight.sum()))


def fitted_epsilon(activations: Mapping[str, Values], layer: str, norm: Mapping[str, Values]) -> float | None:
    """The epsilon that a normalisation computes with; None if it does not normalise the layer before it.

    Args:
        activations: of all layers, in execution order.
        layer: the normalisation.
        norm: its parameters by name, as `Model.weights` gives them.
    """
    order = list(activations)
    index = order.index(layer)
    if index == 0 or activations[order[index - 1]].shape != activations[layer].shape:
        return None
    x, y = (
        np.moveaxis(v, 1, 0).reshape(v.shape[1], -1).astype(np.float64)
        for v in (activations[order[index - 1]], activations[layer])
    )
    x = x - x.mean(axis=1, keepdims=True)
    power = (x**2).sum(axis=1)
    gain = np.divide((x * y).sum(axis=1), power, out=np.zeros_like(power), where=power > 0)
    if relative_l2(gain[:, None] * x, y - y.mean(axis=1, keepdims=True)) > LINEAR:
        return None
    return epsilon_from_gains(gain, norm)
