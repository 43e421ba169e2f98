"""A picture by the phases of its frequencies alone (Fel et al. 2023, "Unlocking feature visualization", MaCo)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from .fourier import Fourier
from .operator import VJP, Differentiable, Size

__all__ = ["AMPLITUDES", "Phase", "natural_magnitude"]

AMPLITUDES: Sequence[Sequence[float]] = (
    (0.90664, 1.64849, 1.08184),
    (0.33877, 0.25056, 0.22531),
    (0.15931, 0.13074, 0.12219),
    (0.0798, 0.06867, 0.05986),
    (0.03738, 0.03016, 0.02635),
    (0.01609, 0.01318, 0.0124),
    (0.0066, 0.00535, 0.00542),
    (0.00266, 0.00222, 0.00238),
    (0.00116, 0.00124, 0.00136),
)
"""Mean magnitudes of photographs in the three colour coordinates of `PHOTOGRAPHS`, before a sigmoid, by frequency: the
mean, then 1, 2, 4 ... 128 cycles per picture. Measured by benchmarks/colour_statistics.py on 25 natural photographs."""


def natural_magnitude(
    size: Size, channels: int = 3, amplitudes: Sequence[Sequence[float]] = AMPLITUDES
) -> np.ndarray[Any, Any]:
    """(channels, H, W // 2 + 1) for `Phase`: amplitudes between their frequencies, and on along their last slope.

    Args:
        size: (H, W) of the pictures.
        channels: as many columns of the amplitudes are used. A network in grey gets the first coordinate's of
            photographs, which is brightness.
        amplitudes: by frequency, as `AMPLITUDES`: at least the mean and those of 1 and 2 cycles.
    """
    height, width = size
    cycles = min(size) * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    octaves = np.log2(np.maximum(cycles, 1.0))
    magnitudes = []
    for mean, *others in np.asarray(amplitudes).T[:channels]:
        known = np.log2(others)
        far = known[-1] + (octaves - len(known) + 1) * (known[-1] - known[-2])
        logs = np.where(octaves < len(known) - 1, np.interp(octaves, np.arange(len(known)), known), far)
        magnitudes.append(np.where(cycles == 0, mean, 2.0**logs))
    return np.asarray(np.stack(magnitudes) * np.sqrt(height * width))


@dataclass(frozen=True)
class Phase(Differentiable):
    """x = irfft2(r exp(i phi)), unitary: phases phi (N, C, H, W // 2 + 1) in radians to pictures (N, C, H, W).

    The magnitude r, an array (C, H, W // 2 + 1), stays as it is. Not linear:
    d phi = r (-sin(phi) d re + cos(phi) d im).
    """

    size: Size
    magnitude: Any

    @property
    def _waves(self) -> Fourier:
        return Fourier(self.size, decay=0.0)

    def linearize(self, x: Array) -> tuple[Array, VJP]:
        """The picture, and the gradient's way back to the phases."""
        xp, waves = namespace(x), self._waves
        r = 4.0 * like(self.magnitude, x)  # `Fourier` divides by 4
        re, im = r * xp.cos(x), r * xp.sin(x)

        def back(dy: Array) -> Array:
            d = waves.adjoint(dy)
            return re * d[:, 1, ...] - im * d[:, 0, ...]

        return waves.apply(xp.stack([re, im], axis=1)), back

    def inverse(self, y: Array) -> Array:
        """The phases of a picture; its own magnitude is lost."""
        parts = self._waves.inverse(y)
        return namespace(y).atan2(parts[:, 1, ...], parts[:, 0, ...])
