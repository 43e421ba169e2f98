"""The coordinates in which textures and styles are optimised: the papers' pixels, or frequencies."""

from typing import Any

import numpy as np
from crosslens.arrays import Array
from crosslens.introspection.default_layer import spatial_layers
from crosslens.model import Model
from crosslens.operators import Identity
from crosslens.synthesis.parameterisation import Parameterisation, parameterisation

COORDINATES = ("fourier", "pixels")
"""Frequencies scaled as in photographs, or the papers' pixels."""


def choose_coordinates(name: str | None, model: Model, image: Array) -> str:
    """The coordinates asked for; if none, pixels where the first layer with a kernel has the image's size, as in VGG.

    One that strides sees the finest frequencies only in part, and pixels become noise (Mordvintsev et al. 2018,
    "Differentiable image parameterizations"): frequencies for those.
    """
    if name is not None:
        return name
    kernels = (layer.name for layer in spatial_layers(model) if "kernel" in model.weights(layer.name))
    first = next(kernels, None)
    maps = image if first is None else model.forward(image, [first])[first]
    return "pixels" if maps.shape[-2:] == image.shape[-2:] else "fourier"


def coordinates(name: str, shape: tuple[int, ...]) -> Parameterisation:
    """One of `COORDINATES`, for pictures (C, H, W); pixels have the bounds [0, 1], frequencies need none."""
    channels, height, width = shape
    if name == "pixels":
        return Parameterisation(Identity(), (channels, height, width), 1.0, bounds=(0.0, 1.0))
    return parameterisation(name, (height, width), channels)


def noise(pixels: Parameterisation, seed: int) -> np.ndarray[Any, Any]:
    """Parameters (1, ...) to start from, float32: white noise around mid-grey of pixels, else a nearly grey picture."""
    rng = np.random.default_rng(seed)
    if pixels.bounds is None:
        return pixels.noise(1, rng)
    return rng.normal(0.5, 0.1, (1, *pixels.shape)).clip(*pixels.bounds).astype(np.float32)
