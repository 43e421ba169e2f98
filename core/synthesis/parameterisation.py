"""From parameters to an image in [0, 1], and back: in which coordinates a synthesis takes its steps."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..arrays import Array, namespace
from ..errors import ParameterError, unknown_name
from ..operators import (
    LUCID,
    NATURAL,
    PHOTOGRAPHS,
    Clip,
    Colour,
    Differentiable,
    Fourier,
    Identity,
    Operator,
    Phase,
    Pyramid,
    SharedPart,
    Sigmoid,
    Size,
    natural_magnitude,
)

__all__ = [
    "BOUNDS",
    "COLOURS",
    "PARAMETERISATIONS",
    "Parameterisation",
    "fourier",
    "parameterisation",
    "phases",
    "phases_of",
    "pixels",
    "pyramid",
]


@dataclass(frozen=True)
class Parameterisation:
    """Parameters (N, *shape) to images (N, C, H, W) in [0, 1]."""

    image: Differentiable
    shape: tuple[int, ...]
    """Of one image's parameters."""
    deviation: float
    """Of the noise to start from."""
    shared: int = 0
    """Rows of parameters beside those of the images, which all of them share."""
    bounds: tuple[float, float] | None = None
    """That every parameter must keep, where there are any."""

    def noise(self, count: int, rng: "np.random.Generator") -> np.ndarray[Any, Any]:
        """Parameters of `count` nearly grey images, float32; the same on every backend."""
        return (self.deviation * rng.standard_normal((count + self.shared, *self.shape))).astype(np.float32)

    def of(self, images: Array) -> Array:
        """The parameters of given images, as near to them as the parameterisation comes."""
        return self.image.inverse(images)


COLOURS: Mapping[str, Operator] = {
    "photographs": Colour.decorrelated(PHOTOGRAPHS),
    "lucid": Colour.decorrelated(LUCID),
    "rgb": Identity(),
}
"""Axes of colour: principal ones measured on photographs, Lucid's published ones, or red, green and blue themselves."""


BOUNDS: Mapping[str, Differentiable] = {"sigmoid": Sigmoid(), "clip": Clip(gain=0.25, offset=0.5)}
"""How pixels are kept in [0, 1]: smoothly, or cut off; both have the same slope at mid-grey, so that steps agree."""


def pixels(size: Size, channels: int, ends: Differentiable) -> Parameterisation:
    """One parameter per pixel and colour; `ends` goes from there to [0, 1]."""
    return Parameterisation(ends, (channels, *size), 0.01)


def fourier(size: Size, channels: int, ends: Differentiable) -> Parameterisation:
    """Frequencies scaled as in photographs, about 1/f (Olah et al. 2017, "Preconditioning and parameterization")."""
    spectrum = Fourier(size, NATURAL)
    return Parameterisation(spectrum >> ends, (2, channels, size[0], spectrum.columns), 0.01)


def pyramid(size: Size, channels: int, ends: Differentiable) -> Parameterisation:
    """A sum of pictures at halving resolutions, so that a step moves every scale (Mordvintsev et al. 2016)."""
    bands = Pyramid(size)
    return Parameterisation(bands >> ends, (channels, bands.length), 0.01)


def phases(size: Size, channels: int = 3) -> Parameterisation:
    """Phases of frequencies whose magnitudes stay those of photographs (Fel et al. 2023); noise is random phases.

    It has no choice of colours: magnitudes were measured along axes of their own. A picture's magnitudes are lost.
    """
    magnitude = natural_magnitude(size, channels)
    axes = COLOURS["photographs"] if channels == 3 else Identity()
    return Parameterisation(Phase(size, magnitude) >> axes >> Sigmoid(), magnitude.shape, float(np.pi))


def phases_of(images: Array) -> Parameterisation:
    """Phases of frequencies whose magnitudes stay those of given images (N, C, H, W), each its own.

    The images themselves are where their own phases lead.
    """
    size, axes = (images.shape[-2], images.shape[-1]), COLOURS["photographs"] if images.shape[1] == 3 else Identity()
    parts = Fourier(size, decay=0.0).inverse((axes >> Sigmoid()).inverse(images))
    magnitude = 0.25 * namespace(parts).sqrt(namespace(parts).sum(parts * parts, axis=1))  # `Fourier` divides by 4
    return Parameterisation(Phase(size, magnitude) >> axes >> Sigmoid(), magnitude.shape[1:], float(np.pi))


class _Factory(Protocol):
    def __call__(self, size: Size, channels: int, ends: Differentiable) -> Parameterisation: ...


PARAMETERISATIONS: Mapping[str, _Factory] = {"fourier": fourier, "pixels": pixels, "pyramid": pyramid}


def parameterisation(
    name: str, size: Size, channels: int = 3, colour: str = "photographs", bound: str = "sigmoid", shared: int = 0
) -> Parameterisation:
    """The parameterisation of this name for images (N, channels, *size).

    Args:
        name: of `PARAMETERISATIONS`.
        size: (H, W) in pixels.
        channels: 3, or 1 for a grey network, which has no colours to decorrelate.
        colour: of `COLOURS`.
        bound: of `BOUNDS`.
        shared: the images share a component of this many pixels a side; 0 for none.

    Raises:
        ParameterError: no such parameterisation, colour axes or bound, or more shared pixels than there are.
    """
    _check_known("parameterisation", name, PARAMETERISATIONS)
    _check_known("colour", colour, COLOURS)
    _check_known("bound", bound, BOUNDS)
    ends = (COLOURS[colour] if channels == 3 else Identity()) >> BOUNDS[bound]
    if not shared:
        return PARAMETERISATIONS[name](size=size, channels=channels, ends=ends)
    if not 1 <= shared <= min(size):
        raise ParameterError(f"shared is {shared}; a side of {min(size)} pixels holds 1 to {min(size)}, 0 for none")
    ends = SharedPart(size, (shared, shared)) >> ends
    return replace(PARAMETERISATIONS[name](size=size, channels=channels, ends=ends), shared=1)


def _check_known(what: str, name: str, table: Mapping[str, Any]) -> None:
    if name not in table:
        raise ParameterError(unknown_name(what, name, table))
