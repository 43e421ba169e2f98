"""Gradients that TensorFlow loses on their way to the image."""

from collections.abc import Iterable

import numpy as np
from crosslens.errors import ModelError
from crosslens.model import Model

__all__ = ["refuse_disconnected"]


def refuse_disconnected(model: Model, lost: Iterable[str]) -> None:
    """Zeros are right where a layer does not follow the image, and wrong where TensorFlow lost its way there.

    Args:
        model: the network.
        lost: layers from which no gradient gets to the image.

    Raises:
        ModelError: one of them gives something else for noise than for black images.
    """
    low, high = model.input.bounds or (0.0, 1.0)
    dark = np.full((1, *model.input.example_shape), low, np.float32)
    noise = np.random.default_rng(0).uniform(low, high, dark.shape).astype(np.float32)
    for name in lost:
        one, other = (np.asarray(model.forward(x, [name])[name]) for x in (dark, noise))
        if (one != other).any():
            raise ModelError(
                f"no gradient gets from layer {name!r} to the image: between them the network stops gradients or calls "
                "what TensorFlow cannot differentiate; occlusion, rise and lime need no gradient"
            )
