"""The images that networks are compared on when the user gives none: photographs that come with scikit-image."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..arrays import Array
from ..errors import ImageError
from ..image.io import load_image
from ..model.base import Model

__all__ = ["PHOTOGRAPHS", "probes"]

PHOTOGRAPHS = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg")
"""A cat, a cup, a face and a launch, in skimage/data."""


def probes(model: Model, count: int = 2) -> Array:
    """Photographs at the model's size, (count, C, H, W); codes from a normal distribution for a generator.

    Raises:
        ImageError: scikit-image is not installed.
    """
    if not model.input.is_image:
        codes = np.random.default_rng(0).standard_normal((count, *model.input.example_shape))
        return codes.astype(np.float32)
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise ImageError(
            "no pictures to compare the networks on: give images=, or --image FILE; or take the photographs of "
            "scikit-image: pip install scikit-image"
        )
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return np.concatenate([load_image(folder / name, like=model) for name in PHOTOGRAPHS[:count]])
