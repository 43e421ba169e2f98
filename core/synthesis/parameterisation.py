"""From parameters to an image in [0, 1], and back: in which coordinates a synthesis takes its steps."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import ParameterError, unknown_name
from ..operators import (
    NATURAL,
    Clip,
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
from .picture_statistics import COLOURS, picture_statistics

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
    bounds: tuple[Any, Any] | None = None
    """That every parameter must keep, where there are any: numbers, or arrays of one image's shape."""
    view: Operator = field(default_factory=Identity)
    """From the images to what the network takes: colours made grey."""

    def bounds_like(self, parameters: Array) -> tuple[Array, Array] | None:
        """The bounds as arrays of the namespace, type and device of the parameters."""
        return None if self.bounds is None else (like(self.bounds[0], parameters), like(self.bounds[1], parameters))

    def noise(self, count: int, rng: "np.random.Generator") -> np.ndarray[Any, Any]:
        """Parameters of `count` nearly grey images, float32; the same on every backend."""
        return (self.deviation * rng.standard_normal((count + self.shared, *self.shape))).astype(np.float32)

    def of(self, images: Array) -> Array:
        """The parameters of given images, as near to them as the parameterisation comes."""
        return self.image.inverse(images)


BOUNDS: Mapping[str, Differentiable] = {"sigmoid": Sigmoid(), "clip": Clip(gain=0.25, offset=0.5)}
"""How pixels are kept in [0, 1]: smoothly, or cut off; both have the same slope at mid-grey, so that steps agree."""


def pixels(size: Size, channels: int, ends: Differentiable) -> Parameterisation:
    """One parameter per pixel and colour; `ends` goes from there to [0, 1]."""
    return Parameterisation(ends, (channels, *size), 0.01)


def fourier(size: Size, channels: int, ends: Differentiable, decay: float = NATURAL) -> Parameterisation:
    """Frequencies scaled by 1 / f^decay, as in photographs (Olah et al. 2017, "Preconditioning and parameterization").

    Args:
        size: (H, W) in pixels.
        channels: of the images.
        ends: from the sum of the waves to [0, 1].
        decay: the power with which amplitudes fall.
    """
    spectrum = Fourier(size, decay)
    return Parameterisation(spectrum >> ends, (2, channels, size[0], spectrum.columns), 0.01)


def pyramid(size: Size, channels: int, ends: Differentiable) -> Parameterisation:
    """A sum of pictures at halving resolutions, so that a step moves every scale (Mordvintsev et al. 2016)."""
    bands = Pyramid(size)
    return Parameterisation(bands >> ends, (channels, bands.length), 0.01)


def phases(size: Size, channels: int = 3, colour: Any = "photographs") -> Parameterisation:
    """Phases of frequencies whose magnitudes stay (Fel et al. 2023); noise is random phases.

    Args:
        size: (H, W) in pixels.
        channels: of the pictures.
        colour: whose magnitudes, measured along axes of colour of their own: "photographs", or a data set's, as
            `picture_statistics` takes them. A network in grey gets those of photographs' brightness.

    Raises:
        ParameterError: colours whose magnitudes are not known.
    """
    known = picture_statistics(colour, channels)
    if known.amplitudes is None:
        name = colour if isinstance(colour, str) else "a covariance"
        raise ParameterError(
            f"colour is {name!r}, whose spectrum is not known; it must be "
            "photographs, data:FILE or a result of colour_statistics"
        )
    magnitude = natural_magnitude(size, channels, known.amplitudes)
    return Parameterisation(Phase(size, magnitude) >> known.axes >> Sigmoid(), magnitude.shape, float(np.pi))


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
    name: str, size: Size, channels: int = 3, colour: Any = "photographs", bound: str = "sigmoid", shared: int = 0
) -> Parameterisation:
    """The parameterisation of this name for images (N, channels, *size).

    Args:
        name: of `PARAMETERISATIONS`.
        size: (H, W) in pixels.
        channels: of the images; axes of colour of `COLOURS` are for 3, others keep their channels.
        colour: of `COLOURS`, or measured on a data set: axes of colour, and of "fourier" how fast amplitudes fall; see
            `crosslens.synthesis.picture_statistics.picture_statistics`.
        bound: of `BOUNDS`.
        shared: the images share a component of this many pixels a side; 0 for none.

    Raises:
        ParameterError: no such parameterisation, colour axes or bound, or more shared pixels than there are.
    """
    _check_known("parameterisation", name, PARAMETERISATIONS)
    _check_known("bound", bound, BOUNDS)
    known = picture_statistics(colour, channels)
    ends, make = known.axes >> BOUNDS[bound], PARAMETERISATIONS[name]
    if make is fourier:
        make = partial(fourier, decay=known.decay)
    if not shared:
        return make(size=size, channels=channels, ends=ends)
    if not 1 <= shared <= min(size):
        raise ParameterError(f"shared is {shared}; a side of {min(size)} pixels holds 1 to {min(size)}, 0 for none")
    ends = SharedPart(size, (shared, shared)) >> ends
    return replace(make(size=size, channels=channels, ends=ends), shared=1)


def _check_known(what: str, name: str, table: Mapping[str, Any]) -> None:
    if name not in table:
        raise ParameterError(unknown_name(what, name, table))
