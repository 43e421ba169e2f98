"""From parameters to an image in [0, 1], and back: in which coordinates a synthesis takes its steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .arrays import Array
from .errors import ParameterError, did_you_mean
from .operators import (
    LUCID,
    NATURAL,
    PHOTOGRAPHS,
    Colour,
    Fourier,
    Identity,
    Operator,
    Phase,
    Pyramid,
    Sigmoid,
    Size,
    Step,
    natural_magnitude,
)

__all__ = [
    "COLOURS",
    "PARAMETERISATIONS",
    "Parameterisation",
    "fourier",
    "parameterisation",
    "phases",
    "pixels",
    "pyramid",
]


@dataclass(frozen=True)
class Parameterisation:
    """Parameters (N, *shape) to images (N, C, H, W) in [0, 1]."""

    image: Step
    shape: tuple[int, ...]
    """Of one image's parameters."""
    deviation: float
    """Of the noise to start from."""

    def noise(self, count: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Parameters of `count` nearly grey images, float32; the same on every backend."""
        return (self.deviation * rng.standard_normal((count, *self.shape))).astype(np.float32)

    def of(self, images: Array) -> Array:
        """The parameters of given images, as near to them as the parameterisation comes."""
        return self.image.inverse(images)


COLOURS: Mapping[str, Operator] = {
    "photographs": Colour.decorrelated(PHOTOGRAPHS),
    "lucid": Colour.decorrelated(LUCID),
    "rgb": Identity(),
}
"""Axes of colour: principal ones measured on photographs, Lucid's published ones, or red, green and blue themselves."""


def pixels(size: Size, channels: int, colour: Operator) -> Parameterisation:
    """One parameter per pixel and colour."""
    return Parameterisation(colour >> Sigmoid(), (channels, *size), 0.01)


def fourier(size: Size, channels: int, colour: Operator) -> Parameterisation:
    """Frequencies scaled as in photographs, about 1/f (Olah et al. 2017, "Preconditioning and parameterization")."""
    spectrum = Fourier(size, NATURAL)
    return Parameterisation(spectrum >> colour >> Sigmoid(), (2, channels, size[0], spectrum.columns), 0.01)


def pyramid(size: Size, channels: int, colour: Operator) -> Parameterisation:
    """A sum of pictures at halving resolutions, so that a step moves every scale (Mordvintsev et al. 2016)."""
    bands = Pyramid(size)
    return Parameterisation(bands >> colour >> Sigmoid(), (channels, bands.length), 0.01)


def phases(size: Size, channels: int = 3) -> Parameterisation:
    """Phases of frequencies whose magnitudes stay those of photographs (Fel et al. 2023); noise is random phases.

    It has no choice of colours: magnitudes were measured along axes of their own. A picture's magnitudes are lost.
    """
    magnitude = natural_magnitude(size, channels)
    axes = COLOURS["photographs"] if channels == 3 else Identity()
    return Parameterisation(Phase(size, magnitude) >> axes >> Sigmoid(), magnitude.shape, float(np.pi))


class _Factory(Protocol):
    def __call__(self, size: Size, channels: int, colour: Operator) -> Parameterisation: ...


PARAMETERISATIONS: Mapping[str, _Factory] = {"fourier": fourier, "pixels": pixels, "pyramid": pyramid}


def parameterisation(name: str, size: Size, channels: int = 3, colour: str = "photographs") -> Parameterisation:
    """The parameterisation of this name for images (N, channels, *size).

    Args:
        name: of `PARAMETERISATIONS`.
        size: (H, W) in pixels.
        channels: 3, or 1 for a grey network, which has no colours to decorrelate.
        colour: of `COLOURS`.

    Raises:
        ParameterError: no such parameterisation or colour axes.
    """
    _known("parameterisation", name, PARAMETERISATIONS)
    _known("colour", colour, COLOURS)
    axes = COLOURS[colour] if channels == 3 else Identity()
    return PARAMETERISATIONS[name](size=size, channels=channels, colour=axes)


def _known(what: str, name: str, table: Mapping[str, Any]) -> None:
    if name not in table:
        raise ParameterError(f"no {what} {name!r}; there are {', '.join(table)}.{did_you_mean(str(name), table)}")
