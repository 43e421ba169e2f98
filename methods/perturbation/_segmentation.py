"""Cutting an image into superpixels."""

from math import prod
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.errors import ParameterError, unknown_name
from crosslens.limits.regular_file import check_regular_file
from crosslens.method.target_function import TargetFunction
from crosslens.reading.array_file import NUMBERS, read_npy

__all__ = ["superpixel_labels"]

KINDS = ("slic", "grid", "quickshift")


def superpixel_labels(function: TargetFunction, how: str | Array, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The superpixel of each pixel of one image, (H, W), numbered from 0 without gaps.

    Args:
        function: the image's.
        how: "slic" (Achanta et al. 2012, in Lab, by scikit-image), "grid" (rectangles), "quickshift" (Vedaldi and
            Soatto 2008, by scikit-image, as many as there are), or any integers (H, W), also as a .npy file.
        count: about how many; at least 2. Read for "slic" and "grid" only.

    Raises:
        ParameterError: no such way, scikit-image is missing, fewer than two superpixels, or another shape.
    """
    size = tuple(function.image.shape[2:])
    if isinstance(how, str) and how.endswith(".npy"):
        how = _from_file(how)
    if not isinstance(how, str):
        labels = as_numpy(how)
        if labels.shape != size or labels.dtype.kind not in "iu":
            raise ParameterError(f"superpixels are {labels.dtype} {labels.shape}; they must be integers {size}")
    elif how not in KINDS:
        raise ParameterError(unknown_name("superpixels", how, KINDS, also="arrays (H, W), also as FILE.npy"))
    elif count > prod(size):
        raise ParameterError(f"segments is {count}; it must be at most one for each pixel of {size}")
    else:
        labels = _grid((size[0], size[1]), count) if how == "grid" else _by_colour(function, how, count)
    segments = np.unique(labels, return_inverse=True)[1].reshape(size).astype(np.int64)
    if segments.max() < 1:
        raise ParameterError(
            "the whole image is one superpixel; there is nothing to compare: give another `superpixels`"
        )
    return segments


def _from_file(path: str) -> np.ndarray[Any, Any]:
    """Superpixels as `numpy.save` wrote them."""
    check_regular_file(path, ParameterError, "array of superpixels")
    try:
        return read_npy(path, NUMBERS)
    except ValueError as error:
        raise ParameterError(f"no superpixels can be read from '{path}': {error}; numpy.save writes them") from error


def _grid(size: tuple[int, int], count: int) -> np.ndarray[Any, Any]:
    """About square cells."""
    height, width = size
    rows = min(max(round(np.sqrt(count * height / width)), 1), height)
    columns = min(max(round(count / rows), 1), width)
    down, across = np.arange(height) * rows // height, np.arange(width) * columns // width
    labels: np.ndarray[Any, Any] = np.add.outer(down * columns, across)
    return labels


def _by_colour(function: TargetFunction, how: str, count: int) -> np.ndarray[Any, Any]:
    try:
        from skimage.segmentation import quickshift, slic
    except ImportError as error:
        raise ParameterError(
            f"superpixels {how!r} need scikit-image: pip install scikit-image, or give superpixels='grid'"
        ) from error
    low, high = function.model.input.bounds or (0.0, 1.0)
    pixels = (np.moveaxis(as_numpy(function.image)[0], 0, -1) - low) / (high - low)
    if how == "quickshift":
        return np.asarray(quickshift(pixels.astype(np.float64), ratio=0.5, kernel_size=2))
    return np.asarray(slic(pixels, n_segments=count, sigma=1.0, start_label=0))
