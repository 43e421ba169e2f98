"""The random draws of crosslens handed to a peer, whose own generator cannot be seeded to give the same.

SmoothGrad of crosslens draws `numpy.random.default_rng(seed).standard_normal` in single precision, sample after sample,
the same for each image. Here a peer's generator is replaced by one that gives these numbers in the peer's order.
"""

from typing import Any

import numpy as np
from crosslens.methods.perturbation import kernel_shap, lime

Array = np.ndarray[Any, Any]


class Draws:
    """A stream of standard normal images (C, H, W), from the start again after `rewind`."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        self.rewind()

    def rewind(self) -> None:
        self.rng = np.random.default_rng(0)

    def take(self, count: int) -> np.ndarray[Any, Any]:
        """The next ones, (count, C, H, W)."""
        return self.rng.standard_normal((count, *self.shape), dtype=np.float32)


def superpixels(x: Array) -> Array:
    """Three by three rectangles of images (N, C, H, W), numbered from 0: (H, W)."""
    rows, columns = (np.arange(side) * 3 // side for side in x.shape[2:])
    return np.add.outer(3 * rows, columns)


def background(x: Array) -> Array:
    """Four baselines for images (N, C, H, W), (4, C, H, W)."""
    return np.random.default_rng(1).random((4, *x.shape[1:]), dtype=np.float32)


def places_on_the_way(samples: int) -> tuple[Array, Array]:
    """Which baselines expected gradients draws of four, and where on the way, (samples,) each."""
    rng = np.random.default_rng(0)
    return rng.integers(4, size=samples), rng.random(samples)


def tossed(samples: int, count: int) -> Array:
    """Which superpixels LIME leaves, each by a coin, (samples, count)."""
    return lime._coin_tosses(samples, count, np.random.default_rng(0))


def coalitions(samples: int, count: int) -> Array:
    """The coalitions of Kernel SHAP without their complements, (samples, count)."""
    return kernel_shap._random_coalitions(count, samples, np.random.default_rng(0))


def rise_masks(samples: int, side: int, cells: int = 7) -> tuple[Array, Array]:
    """RISE's grids, (samples, cells, cells), and the rows and columns at which they are cut out, (samples, 2)."""
    rng, margin = np.random.default_rng(0), int(side * (1 + 1 / cells)) - side
    drawn = [
        (rng.random((cells, cells)) < 0.5, rng.integers(margin + 1), rng.integers(margin + 1)) for _ in range(samples)
    ]
    return np.stack([grid for grid, _, _ in drawn]), np.asarray([place for _, *place in drawn])


def noise_on_baselines(samples: int, shape: tuple[int, ...]) -> Array:
    """What infidelity puts on its baselines, (samples, C, H, W)."""
    return np.random.default_rng(0).normal(0, 0.2, (samples, *shape)).astype(np.float32)


def changes(samples: int, radius: float, shape: tuple[int, ...]) -> Array:
    """By what max-sensitivity changes an image, (samples, C, H, W)."""
    return np.random.default_rng(0).uniform(-radius, radius, (samples, *shape)).astype(np.float32)


def importance(x: Array) -> Array:
    """A map to judge, no two values of it alike, (N, H, W)."""
    rng, pixels = np.random.default_rng(2), x.shape[2] * x.shape[3]
    return np.stack([rng.permutation(pixels) / pixels for _ in x]).reshape(len(x), *x.shape[2:]).astype(np.float32)
