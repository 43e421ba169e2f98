"""How libraries enlarge maps, as matrices: they differ in where pixel centres lie and in what is at the border.

The way of crosslens itself is "linear", in `crosslens.arrays.interpolation`; the others reproduce other libraries.
"""

from typing import Any

import numpy as np

from ..arrays import interpolation
from ..errors import ParameterError, unknown_name

__all__ = ["KINDS", "resampling_matrix"]

KINDS = ("linear", "corners", "mirrored", "nearest", "cubic")
TABLE = 1024
"""TensorFlow's bicubic resize reads its kernel from a table with so many entries between two pixels."""


def resampling_matrix(n: int, m: int, kind: str) -> np.ndarray[Any, Any]:
    """The (m, n) matrix that enlarges n pixels to m; each row sums to one.

    Args:
        n: pixels of the map.
        m: pixels of the enlarged map, at least n.
        kind: "linear", pixel centres at half-integers, the edge continued (torch with align_corners=False, OpenCV);
            "corners", the first and last centres kept (torch with align_corners=True, scipy.ndimage.zoom of order 1);
            "mirrored", as linear but mirrored at the border (skimage.transform.resize); "nearest", the pixel that a
            position falls into (torch); "cubic", Keys' kernel with a = -1/2, what lies outside left out (TensorFlow).

    Raises:
        ParameterError: no such kind, or m is less than n.
    """
    if kind not in KINDS:
        raise ParameterError(unknown_name("enlargement", kind, KINDS))
    if m < n:
        raise ParameterError(f"maps are only enlarged: from {n} pixels to {m} is smaller")
    if kind == "linear":
        return interpolation(n, m)
    if kind == "nearest":
        return np.asarray(np.eye(n)[np.arange(m) * n // m])
    if kind == "cubic":
        return _cubic(n, m)
    positions = (
        np.linspace(0, n - 1, m) if kind == "corners" else _mirrored_positions((np.arange(m) + 0.5) * (n / m) - 0.5, n)
    )
    return np.asarray(np.clip(1 - np.abs(np.arange(n)[None, :] - positions[:, None]), 0, None))


def _mirrored_positions(positions: np.ndarray[Any, Any], n: int) -> np.ndarray[Any, Any]:
    """Positions outside mirrored at the first and the last pixel's centre."""
    return np.asarray(np.clip((n - 1) - np.abs((n - 1) - np.abs(positions)), 0, n - 1))


def _cubic(n: int, m: int) -> np.ndarray[Any, Any]:
    positions = (np.arange(m) + 0.5) * (n / m) - 0.5
    left = np.floor(positions)
    share = np.round((positions - left) * TABLE) / TABLE
    weights = np.zeros((m, n))
    for shift in (-1, 0, 1, 2):
        pixel = (left + shift).astype(int)
        inside = (pixel >= 0) & (pixel < n)
        weights[np.flatnonzero(inside), pixel[inside]] = _keys(np.abs(share - shift))[inside]
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _keys(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Keys 1981, equation 15: the cubic convolution kernel with a = -1/2."""
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
