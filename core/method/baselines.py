"""Baselines: images that hold nothing to be recognised, black or blurred ones for example, by name, file or array."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import ParameterError, unknown_name
from ..image.io import load_image
from ..model import Model
from ..operators import Blur

__all__ = ["NAMES", "Baseline", "baselines", "made_up_note"]

Baseline: TypeAlias = str | tuple[str, ...] | Array
"""A name of `NAMES` or a picture's file, several of them, or an array (C, H, W) or (M, C, H, W)."""
NAMES = ("black", "white", "grey", "blurred", "noise")
BLUR = 0.05
"""Deviation of the Gaussian that blurs, as a share of the longer side: 11 pixels of 224."""


def baselines(spec: Baseline, image: Array, model: Model, seed: int) -> Array:
    """Baselines for one image.

    Args:
        spec: what to start from, as `Baseline` says.
        image: (1, C, H, W), or a code of a network without pictures, which knows only "black" (zeros) and arrays.
        model: the network; its bounds are what black and white mean.
        seed: of "noise", uniform between the bounds; the same for each image.

    Returns:
        Shape (M, C, H, W).

    Raises:
        ParameterError: no such name or file, or an array of another shape.
    """
    if isinstance(spec, str):
        return _by_name(spec, image, model, seed)
    if isinstance(spec, Sequence):
        if not spec:
            raise ParameterError("no baseline is given; name at least one")
        return namespace(image).concat([baselines(each, image, model, seed) for each in spec], axis=0)
    return _from_array(spec, image)


def made_up_note(background: Baseline) -> tuple[str, ...]:
    """A note where a background holds made-up baselines only, for methods that take it for the data."""
    names = (background,) if isinstance(background, str) else background
    if not isinstance(names, tuple) or not set(names) <= set(NAMES):
        return ()
    return ("the background is made up; give images like those the network was trained on: background=",)


def _by_name(name: str, image: Array, model: Model, seed: int) -> Array:
    xp = namespace(image)
    low, high = model.input.bounds or (0.0, 0.0)
    if name not in NAMES:
        return _from_file(name, image, model)
    if model.input.bounds is None and name != "black":
        raise ParameterError(f"{name!r} means nothing where the input has no bounds; give 'black' (zeros) or an array")
    if name == "blurred":
        return gaussian_blur(image, BLUR * max(image.shape[2:]))
    if name == "noise":
        return like(np.random.default_rng(seed).uniform(low, high, tuple(image.shape)), image)
    return xp.zeros_like(image) + {"black": low, "white": high, "grey": (low + high) / 2}[name]


def _from_file(name: str, image: Array, model: Model) -> Array:
    if not Path(name).is_file():
        raise ParameterError(unknown_name("baseline", name, NAMES, also="pictures' files"))
    if image.ndim == 5:
        raise ParameterError(f"'{name}' is a picture, and this model takes volumes; give an array (C, D, H, W)")
    return like(load_image(name, like=model, size=(image.shape[2], image.shape[3])), image)


def _from_array(values: Array, image: Array) -> Array:
    shape = tuple(getattr(values, "shape", ()))
    if shape[-(image.ndim - 1) :] != tuple(image.shape[1:]) or len(shape) > image.ndim or 0 in shape:
        raise ParameterError(
            f"the baseline has shape {shape}; it must be one image {tuple(image.shape[1:])}, or several, (M, ...)"
        )
    array = like(values, image)
    return array if len(shape) == image.ndim else array[None, ...]


def gaussian_blur(image: Array, deviation: float) -> Array:
    """An image (N, C, H, W) blurred by a Gaussian of this deviation in pixels, cut off at the border.

    A volume (N, C, D, H, W) is blurred along its depth too.
    """
    blur, xp = Blur(deviation), namespace(image)
    if image.ndim != 5:
        return blur.apply(image)
    deep = xp.moveaxis(blur.apply(image), 2, 4)
    one_row = xp.reshape(deep, (*deep.shape[:4], 1, deep.shape[4]))
    return xp.moveaxis(xp.reshape(blur.apply(one_row), deep.shape), 4, 2)
