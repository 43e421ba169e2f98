"""A picture by its frequencies, each scaled as natural pictures have it (Olah et al. 2017, "Preconditioning")."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import Array, like, namespace
from .operator import Operator, Size, check_size

__all__ = ["NATURAL", "Fourier"]

NATURAL = 1.2
"""The power of 1 / f with which amplitudes fall in natural pictures: 1.20, the mean of the 25 photographs that
benchmarks/colour_statistics.py measures (0.85 to 1.43 each)."""


@dataclass(frozen=True)
class Fourier(Operator):
    """Real parameters (N, 2, C, H, W // 2 + 1), real and imaginary parts, to pictures (N, C, H, W).

    x = irfft2(p / max(f, 1 / max(H, W))^decay) / 4, unitary; f in cycles per pixel. The decay makes steps of one length
    mean the same at every frequency of a natural picture: Lucid takes 1, `NATURAL` is measured. The 4 is Lucid's
    (`lucid.optvis.param.spatial`), so that its learning rates carry over.

    The imaginary parts that a real picture cannot have (columns 0 and W / 2 after the transform over rows) are dropped
    explicitly: FFT libraries differ in what they do with them.
    """

    size: Size
    decay: float = 1.0

    @property
    def columns(self) -> int:
        """Frequencies along the second axis: the others follow from the picture's being real."""
        return self.size[1] // 2 + 1

    @property
    def _scale(self) -> np.ndarray[Any, Any]:
        return _amplitudes(tuple(self.size), self.decay)

    @property
    def _has_conjugate(self) -> np.ndarray[Any, Any]:
        """1 in columns that stand for themselves and their conjugate, 0 where they are their own."""
        column = np.arange(self.columns)
        return np.asarray((column > 0) & (2 * column != self.size[1]), np.float64)

    def apply(self, x: Array) -> Array:
        """(N, 2, C, H, W // 2 + 1) to (N, C, H, W)."""
        check_size(self, x, (self.size[0], self.columns))
        xp = namespace(x)
        scaled = x * like(self._scale, x)
        rows = xp.fft.ifft(_complex(scaled[:, 0, ...], scaled[:, 1, ...]), axis=-2, norm="ortho")
        rows = _complex(xp.real(rows), xp.imag(rows) * like(self._has_conjugate, x))
        return xp.fft.irfft(rows, n=self.size[1], axis=-1, norm="ortho")

    def adjoint(self, y: Array) -> Array:
        """(N, C, H, W) to (N, 2, C, H, W // 2 + 1): a paired column's gradient arrives twice."""
        return self._spectrum(y) * like(self._scale * (1 + self._has_conjugate), y)

    def inverse(self, y: Array) -> Array:
        """The parameters of a picture; `apply` gives it back."""
        return self._spectrum(y) / like(self._scale, y)

    def _spectrum(self, y: Array) -> Array:
        check_size(self, y, self.size)
        xp = namespace(y)
        spectrum = xp.fft.fft(xp.fft.rfft(y, axis=-1, norm="ortho"), axis=-2, norm="ortho")
        return xp.stack([xp.real(spectrum), xp.imag(spectrum)], axis=1)


def _complex(real: Array, imaginary: Array) -> Array:
    xp = namespace(real)
    kind = xp.complex64 if real.dtype == xp.float32 else xp.complex128
    return xp.astype(real, kind) + 1j * xp.astype(imaginary, kind)


@lru_cache(maxsize=8)
def _amplitudes(size: Size, decay: float) -> np.ndarray[Any, Any]:
    """What each frequency is multiplied with; shared, never changed."""
    height, width = size
    frequencies = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    return np.asarray(0.25 / np.maximum(frequencies, 1.0 / max(height, width)) ** decay)
