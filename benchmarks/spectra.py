"""How steeply a picture's power falls with the frequency: about the square of it in photographs (Field 1987)."""

from itertools import pairwise
from typing import Any

import numpy as np

__all__ = ["slope"]

LOW, HIGH, BINS = 0.02, 0.35, 12
"""Cycles per pixel: below lie a handful of frequencies only, above what cameras and JPEG leave out."""


def slope(image: Any) -> float:
    """Of log power over log frequency, by least squares over rings of one width on the logarithmic scale.

    Args:
        image: (C, H, W); its luma, the mean over C, is seen through a Hann window, else its borders, which do not meet,
            would add a spectrum of their own.
    """
    luma = image.mean(axis=0, dtype=np.float64)
    rows, columns = (np.hanning(n) for n in luma.shape)
    power = np.abs(np.fft.fft2((luma - luma.mean()) * rows[:, None] * columns)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(luma.shape[1]), np.fft.fftfreq(luma.shape[0])))
    edges = np.geomspace(LOW, HIGH, BINS + 1)
    rings = [(frequency >= low) & (frequency < high) for low, high in pairwise(edges)]
    rings = [ring for ring in rings if ring.any()]
    places = [np.log(frequency[ring]).mean() for ring in rings]
    return float(np.polyfit(places, [np.log(power[ring].mean() + 1e-20) for ring in rings], 1)[0])
