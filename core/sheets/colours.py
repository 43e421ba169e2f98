"""`Colours`: the colours and the spectrum of a data set, as numbers and as a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..image.colormap import colour
from ..image.false_colour import false_colour
from ..operators.colour import Colour
from ..result.base import Result
from ..result.display import counted
from ..result.formats import PICTURES
from .grid import sheet
from .tile import Tile

__all__ = ["Colours", "octave_means"]

Pixels = np.ndarray[Any, Any]

STRIP = (32, 224)
"""Pixels of a strip that shows an axis of colour."""
STEEPEST = 2.0
"""Deviations from the mean at the ends of a strip."""
LEAST = 1e-12
"""What a magnitude of zero counts as, where logarithms are taken."""


def octave_means(amplitudes: Pixels, width: int) -> Pixels:
    """Mean magnitudes by octave, (octaves, C), of those of single frequencies, (C, H, W // 2 + 1).

    Row 0 is the mean of the pictures, row k what lies within half an octave of 2^(k - 1) cycles per shorter side, as
    `crosslens.operators.AMPLITUDES`. Frequencies that stand for their conjugates too count twice.
    """
    height, columns = amplitudes.shape[1:]
    cycles = min(height, width) * np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    octave = np.where(cycles == 0, 0, 1 + np.rint(np.log2(np.maximum(cycles, 1)))).astype(int)
    column = np.arange(columns)
    weight = np.broadcast_to(np.where((column > 0) & (2 * column != width), 2.0, 1.0), octave.shape)
    rings = [(octave == k) * weight for k in range(octave.max() + 1)]
    return np.stack([(amplitudes * ring).sum(axis=(1, 2)) / ring.sum() for ring in rings])


@dataclass(frozen=True)
class Colours(Result):
    """Mean and covariance of a data set's pixels in [0, 1], their principal axes, and magnitudes by frequency."""

    mean: Array
    """(C,)"""
    covariance: Array
    """(C, C), over all pixels of all images."""
    axes: Array
    """(C, C): the columns are the principal axes, strongest first, as `Colour.principal` gives them."""
    amplitudes: Array
    """(C, H, W // 2 + 1): mean magnitudes of the pictures' coordinates along the axes, before a sigmoid.

    The transform is divided by the number of pixels, so that magnitudes do not depend on it."""
    width: int
    """W of the pictures."""
    decay: float | None
    """The power of 1 / f with which amplitudes fall; None for pictures without enough frequencies, or of one colour."""
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz")
    _choices: ClassVar[str] = ".png, .jpg or .webp for a picture, .npz for everything, which colour=data:FILE.npz reads"

    @property
    def colours(self) -> Colour:
        """From coordinates along the axes to channels."""
        return Colour(tuple(map(tuple, np.asarray(self.axes).tolist())))

    def deviations(self) -> Pixels:
        """The standard deviation of pixels along each principal axis, (C,), in the unit of pixels in [0, 1]."""
        return np.sqrt(np.linalg.svd(np.asarray(self.covariance), compute_uv=False))

    def octaves(self) -> Pixels:
        """Mean magnitudes by octave, (octaves, C), above zero; see `octave_means`."""
        return np.maximum(octave_means(np.asarray(self.amplitudes), self.width), LEAST)

    def figures(self) -> Mapping[str, Any]:
        """Mean colour, deviations along the axes, and how amplitudes fall."""
        return {
            "mean": np.asarray(self.mean).tolist(),
            "deviations": self.deviations().tolist(),
            "decay": self.decay,
        }

    def picture(self) -> Pixels:
        """The mean colour along each axis, two deviations either way; below, the magnitudes, zero frequency mid-way."""
        deviations, spectra = self.deviations(), self._spectra()
        strips = [
            [Tile(self._strip(n, each), f"axis {n + 1}: deviation {each:.3f}")] for n, each in enumerate(deviations)
        ]
        tiles = [Tile(spectrum, f"axis {n + 1}") for n, spectrum in enumerate(spectra)]
        fall = "" if self.decay is None else f", which fall as 1 / f^{self.decay:.2f}"
        titles = ["principal axes of colour, through the mean", *[""] * (len(strips) - 1)]
        return sheet([*strips, tiles], [*titles, f"logarithms of amplitudes{fall}"])

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`colours.png`, the picture."""
        return [self.save(folder / "colours.png")]

    def _strip(self, n: int, deviation: float) -> Pixels:
        """Colours along axis n through the mean; channels that are not three as `false_colour` shows them."""
        column = np.asarray(self.axes)[:, n]
        steps = np.linspace(-STEEPEST, STEEPEST, STRIP[1]) * deviation
        colours = np.asarray(self.mean)[:, None] + column[:, None] / np.linalg.norm(column) * steps
        image = np.broadcast_to(colours[:, None, :], (len(colours), *STRIP)).clip(0, 1)
        return np.asarray((false_colour(image, (0.0, 1.0), self.bands) * 255).round().transpose(1, 2, 0), np.uint8)

    def _spectra(self) -> list[Pixels]:
        """Logarithms of all magnitudes, of one scale, each coordinate a picture (H, W, 3)."""
        half = np.asarray(self.amplitudes)
        mirrored = np.roll(half[:, ::-1, 1 : (self.width + 1) // 2][..., ::-1], 1, axis=1)
        logs = np.log(np.concatenate([half, mirrored], axis=-1) + LEAST)
        low, high = np.quantile(logs, 0.005), logs.max()
        scaled = np.fft.fftshift((logs - low).clip(0), axes=(1, 2))
        return [colour(each, limit=float(high - low) or 1.0, signed=False) for each in scaled]

    def _tiles(self) -> int:
        return 1

    def _facts(self) -> Iterator[str]:
        yield counted(len(np.asarray(self.mean)), "channel")
        yield f"deviations {', '.join(f'{each:.3f}' for each in self.deviations())}"
        yield "" if self.decay is None else f"amplitudes fall as 1 / f^{self.decay:.2f}"
