"""Colour statistics: a data set's colours and spectrum, for decorrelated coordinates (Olah et al. 2017)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy
from crosslens.data import Batch, Source, State, Statistic
from crosslens.errors import ImageError
from crosslens.execution.progress import Progress
from crosslens.method import DatasetMethod
from crosslens.model import Model
from crosslens.operators import Colour, Sigmoid
from crosslens.plugins import hookimpl
from crosslens.sheets.colours import Colours

__all__ = ["ColourMoments", "ColourStatistics", "Spectrum"]

Numbers = np.ndarray[Any, Any]
Bounds = tuple[float, float]
HIGHEST = 0.4
"""Cycles per pixel up to which the fall of amplitudes is measured: beyond lies what cameras and JPEG leave out."""


def unit_pixels(batch: Batch, bounds: Bounds) -> Numbers:
    """The images of a batch in [0, 1], (N, C, H, W), float64."""
    low, high = bounds
    return (as_numpy(batch.samples.images).astype(np.float64) - low) / (high - low)


@dataclass(frozen=True)
class ColourMoments(Statistic):
    """Sums of pixels in [0, 1] less a half, and of the products of their channels, over all pixels of all images."""

    bounds: Bounds

    def empty(self) -> State:
        """Zeros: the first sums that are added bring the channels."""
        return {"pixels": np.int64(0), "sum": np.float64(0), "products": np.float64(0)}

    def add(self, state: State, batch: Batch) -> State:
        images = unit_pixels(batch, self.bounds) - 0.5
        pixels = images.reshape(*images.shape[:2], -1)
        products = np.einsum("ncp,ndp->cd", pixels, pixels)
        added = {"pixels": np.int64(pixels.size // pixels.shape[1]), "sum": pixels.sum(axis=(0, 2))}
        return self.merge(state, {**added, "products": products})

    def merge(self, first: State, second: State) -> State:
        return {name: first[name] + second[name] for name in first}


@dataclass(frozen=True)
class Spectrum(Statistic):
    """Sums over images of magnitudes along axes of colour, and of the power of their brightness."""

    bounds: Bounds
    axes: tuple[tuple[float, ...], ...]

    def empty(self) -> State:
        return {
            "images": np.int64(0),
            "amplitudes": np.float64(0),
            "power": np.float64(0),
            "size": np.zeros(2, np.int64),
        }

    def add(self, state: State, batch: Batch) -> State:
        images = unit_pixels(batch, self.bounds)
        coordinates = Colour(self.axes).inverse(Sigmoid().inverse(images))
        grey = images.mean(axis=1)
        rows, columns = (np.hanning(n + 2)[1:-1] for n in grey.shape[1:])
        seen = (grey - grey.mean(axis=(1, 2), keepdims=True)) * rows[:, None] * columns
        added = {
            "images": np.int64(len(images)),
            "amplitudes": np.abs(np.fft.rfft2(coordinates, norm="forward")).sum(axis=0),
            "power": (np.abs(np.fft.rfft2(seen)) ** 2).sum(axis=0),
            "size": np.asarray(grey.shape[1:], np.int64),
        }
        return self.merge(state, added)

    def merge(self, first: State, second: State) -> State:
        sizes = [tuple(map(int, each["size"])) for each in (first, second) if each["images"]]
        if len(set(sizes)) > 1:
            told = " and ".join(f"{height} x {width}" for height, width in sizes)
            raise ImageError(
                f"pictures of different sizes have no mean spectrum: {told} pixels; give them one size, or the model: "
                "input_shape="
            )
        added = {name: first[name] + second[name] for name in ("images", "amplitudes", "power")}
        return {**added, "size": np.maximum(first["size"], second["size"])}


def decay(power: Numbers, width: int) -> float | None:
    """The power of 1 / f with which amplitudes fall, from the mean power (H, W // 2 + 1) of pictures under a window.

    Least squares of log amplitude over log frequency, from two cycles per picture on, each octave with the same weight:
    a frequency's is 1 / f^2. None where there are not two frequencies, or no power.
    """
    height = power.shape[0]
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    inside = (frequency >= 2 / min(height, width)) & (frequency < HIGHEST) & (power > power.max() * 1e-20)
    if np.unique(frequency[inside]).size < 2:
        return None
    places, weights = np.log(frequency[inside]), 1 / frequency[inside]  # polyfit squares the weights
    return -float(np.polyfit(places, np.log(power[inside]), 1, w=weights)[0]) / 2


@dataclass(frozen=True, kw_only=True)
class ColourStatistics(DatasetMethod):
    """The colours and the spectrum of the images.

    The covariance of the images' colours, its principal axes, and mean magnitudes along them by frequency. As
    `colour="data:FILE.npz"` methods that make pictures take them in place of those of photographs.

    Pixels are taken in [0, 1], at the size and with the channels of the model, which is not run.
    """

    name = "colour_statistics"

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        if model.input.is_volume:
            raise ImageError("colour_statistics is for pictures (C, H, W), and this model takes volumes (C, D, H, W)")
        bounds = model.input.bounds or (0.0, 1.0)
        moments = ColourMoments(bounds)
        if not gathered:
            return [moments]
        _, covariance = mean_and_covariance(gathered[moments])
        return [moments, Spectrum(bounds, Colour.principal(covariance).matrix)]  # type: ignore[arg-type]

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> Colours:
        (_, moments), (spectrum, found) = gathered.items()
        mean, covariance = mean_and_covariance(moments)
        axes, width = np.asarray(spectrum.axes), int(found["size"][1])  # type: ignore[attr-defined]
        amplitudes = found["amplitudes"] / found["images"]
        fall = decay(found["power"] / found["images"], width)
        return Colours(mean, covariance, axes, amplitudes, width, fall)


def mean_and_covariance(moments: State) -> tuple[Numbers, Numbers]:
    """(C,) and (C, C) of pixels in [0, 1]."""
    mean = moments["sum"] / moments["pixels"]
    return mean + 0.5, moments["products"] / moments["pixels"] - np.outer(mean, mean)


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [ColourStatistics]
