"""Initial masks of a given area: discs all over the picture."""

from typing import Any

import numpy as np
from crosslens.operators import SmoothMax

__all__ = ["discs"]

PER_SIDE = 10
"""Discs along each side of the picture."""
SPREAD = 0.9
"""How far outside of a grid's ones, in widths, a mask has fallen so low that its mean is the disc's area."""


def discs(smooth: SmoothMax, area: float) -> np.ndarray[Any, Any]:
    """Grids (PER_SIDE^2, h, w), 1 in one disc each, which the mask's softness brings to its area.

    As masks they lie within the picture: one that the border cuts is smaller than the area and grows along the border.
    """
    (rows, columns), (height, width) = smooth.grid, smooth.size
    radius = np.sqrt(area * height * width / np.pi)
    across = np.subtract.outer(_centres(height, radius), height * (np.arange(rows) + 0.5) / rows)
    along = np.subtract.outer(_centres(width, radius), width * (np.arange(columns) + 0.5) / columns)
    apart = np.sqrt(across[:, None, :, None] ** 2 + along[None, :, None, :] ** 2).reshape(-1, rows, columns)
    core = radius - SPREAD * smooth.width
    return np.asarray(apart <= np.maximum(core, apart.min(axis=(1, 2), keepdims=True)), np.float32)


def _centres(side: int, radius: float) -> np.ndarray[Any, Any]:
    """Centres of discs along a side, (PER_SIDE,), from one border to the other."""
    return np.linspace(min(radius, side / 2), max(side - radius, side / 2), PER_SIDE)
