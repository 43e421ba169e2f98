"""Receptive fields from below: the pixels that gradients at random images reach.

A unit whose gradient at a pixel is not zero depends on it. The union over random images and random weights of the units
grows towards all that it depends on; what it holds is certain, what it lacks is not.
"""

import numpy as np

from ..arrays import as_numpy, like
from ..errors import ModelError
from ..model.base import Model
from ..model.layer import INPUT

__all__ = ["support"]

IMAGES = 4


def support(
    model: Model,
    layer: str,
    index: tuple[int | slice, ...],
    size: tuple[int, int],
    *,
    images: int = IMAGES,
    seed: int = 0,
) -> tuple[int, int, int, int]:
    """The smallest rectangle (top, bottom, left, right) that holds all pixels that gradients reach; zeros if none.

    Args:
        model: a network of pictures.
        layer: its name.
        index: which activations (N, ...), units as a slice; the first entry is not used.
        size: (H, W) of the image in pixels.
        images: how many random images.
        seed: of the images.
    """
    linear = linear_at_rectifiers(model)
    rng = np.random.default_rng(seed)
    low, high = model.input.bounds or (0.0, 1.0)
    reached = np.zeros(size, bool)
    for start in range(0, images, IMAGES):
        count = min(IMAGES, images - start)
        x = rng.uniform(low, high, (count, model.input.example_shape[0], *size)).astype(np.float32)
        with linear.linearize(x, [layer], wrt=[INPUT]) as at:
            activation = at.activations[layer]
            cotangent = np.zeros(activation.shape, np.float32)
            cotangent[(slice(None), *index[1:])] = rng.uniform(0.5, 1.5, cotangent[(slice(None), *index[1:])].shape)
            gradient = as_numpy(at.vjp({layer: like(cotangent, activation)})[INPUT])
        reached |= (gradient != 0).any(axis=(0, 1))
    return bounding_box(reached)


def linear_at_rectifiers(model: Model) -> Model:
    """The same network with gradients that rectifiers let through; itself where there are none to change."""
    try:
        return model.modified(relu="linear")
    except ModelError:
        return model


def bounding_box(reached: "np.ndarray[tuple[int, int], np.dtype[np.bool_]]") -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of the pixels that are True, half-open; zeros for none."""
    rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
