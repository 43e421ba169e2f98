"""`Filters`: the kernels of a layer's units, and their sheet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError
from ..image.false_colour import check_bands, false_colour, side_by_side
from ..model.layer import INPUT
from ..result import Result
from ..result.display import counted
from .grid import sheet, square_rows
from .tile import Tile

__all__ = ["Filters"]

Pixels = np.ndarray[Any, Any]

SMALL = 32
"""Pixels up to which a kernel of one of many input channels is enlarged."""
MATRIX = 512
"""Pixels up to which a small matrix of weights is enlarged."""


@dataclass(frozen=True, kw_only=True)
class Filters(Result):
    """The kernels of some of a layer's units, in an order: `filters[0]` is the first of them.

    `picture` shows what reads the image in its colours, everything else in grey, for each input channel; zero is
    mid-grey, brighter is positive.
    """

    layer: str
    kernels: Array
    """(out, in / groups, ...): of every unit of the layer, raw, as `Model.weights` has them."""
    norms: Array
    """(out,): the Euclidean length of each kernel, float64."""
    units: Array
    """(n,): which units are shown, in this order."""
    values: Array
    """(n, C, ...): their kernels as they lie in what they read: what a unit's answer before its nonlinearity changes
    by for each value there. C is the image's channels, or those of `reads`, or in / groups."""
    reads: str
    """What the values lie in: "<input>" for the image's pixels, a layer's name, or "" for the channels of a kernel."""
    groups: int = 1
    """Groups of units that read input channels of their own."""
    shared_scale: bool = False
    """Whether the picture has one scale for all units, not one for each."""
    most_inputs: int = 16
    """Input channels that the picture shows of each unit, where there are more."""
    _item: ClassVar[str] = "filter"

    def __len__(self) -> int:
        return int(self.units.shape[0])

    @property
    def in_colour(self) -> bool:
        """Whether the filters read the image, and are shown in its colours."""
        return self.reads == INPUT

    @property
    def is_matrix(self) -> bool:
        """Whether each input has one number for each unit: 1 x 1 kernels, or dense weights that are no maps."""
        return not self.in_colour and bool(np.prod(self.values.shape[2:]) == 1)

    def channels(self) -> Pixels:
        """The input channels that the picture shows: all, or the `most_inputs` with the largest norms, ascending."""
        values = as_numpy(self.values).astype(np.float64)
        lengths = np.sqrt((values**2).sum(axis=(0, *range(2, values.ndim))))
        return np.asarray(np.sort(np.argsort(-lengths, kind="stable")[: self.most_inputs]))

    def picture(self) -> Pixels:
        """A sheet of the units: a tile each, a row of input channels each, or one matrix of 1 x 1 kernels."""
        self._check_bands()
        values, numbers = as_numpy(self.values), as_numpy(self.units)
        if self.is_matrix:
            return self._matrix(values.reshape(values.shape[:2]))
        drawn = [_in_unit_range(kernel, limit) for kernel, limit in zip(values, self._limits(values), strict=True)]
        if self.in_colour or values.shape[1] == 1:
            tiles = [Tile(_pixels(each, self.bands), f"#{unit}") for each, unit in zip(drawn, numbers, strict=True)]
            return sheet(square_rows(tiles), heading=self.heading())
        channels = self.channels()
        rows = [
            [Tile(_pixels(each[[c]]), str(self._first_channel(unit) + c)) for c in channels]
            for each, unit in zip(drawn, numbers, strict=True)
        ]
        titles = [f"#{unit}, norm {as_numpy(self.norms)[unit]:.3g}" for unit in numbers]
        return sheet(rows, titles, self.heading(), smallest=SMALL)

    def heading(self) -> str:
        """What the sheet shows, in words."""
        shown = f"{len(self)} of {self.kernels.shape[0]} filters of {self.layer}"
        if self.in_colour:
            return f"{shown}, as they read the image"
        count = self.values.shape[1]
        if self.is_matrix:
            groups = f" of each of {self.groups} groups" * (self.groups > 1)
            return f"{shown}, a row each; across: {count} inputs{groups}"
        if count == 1:
            return f"{shown}, of one input channel each"
        most = min(count, self.most_inputs)
        where = f" of {self.reads}" if self.reads else " of each group" * (self.groups > 1)
        return f"{shown}, a row each: {f'{most} of ' * (most < count)}{count} input channels{where}"

    def _matrix(self, weights: Pixels) -> Pixels:
        limits = self._limits(weights)
        grey = np.stack([_in_unit_range(row, limit) for row, limit in zip(weights, limits, strict=True)])
        return sheet([[Tile(_pixels(grey[None]))]], heading=self.heading(), smallest=MATRIX)

    def _limits(self, values: Pixels) -> Pixels:
        """The magnitude that is drawn white or black, of each unit."""
        largest = np.abs(values.reshape(len(values), -1)).max(axis=1)
        largest = np.full_like(largest, largest.max()) if self.shared_scale else largest
        return np.where(largest > 0, largest, 1)

    def _first_channel(self, unit: int) -> int:
        """The first input channel that the group of a unit reads."""
        group = int(unit) // max(1, int(self.kernels.shape[0]) // self.groups)
        return group * int(self.values.shape[1]) * (self.groups > 1)

    def _check_bands(self) -> None:
        if self.bands is None:
            return
        if not self.in_colour:
            raise ParameterError(f"bands choose the colours of what reads the image, and {self.layer!r} does not")
        check_bands(self.bands, self.values.shape[1])

    def _scale(self, pixels: Pixels) -> int:
        return 1

    def _per_image(self) -> tuple[str, ...]:
        return ("units", "values")

    def _main_array(self) -> Array:
        return self.values

    def _columns(self) -> Mapping[str, Any]:
        """One row for each filter that is shown: its unit, its norm, and its smallest and largest value."""
        values, units = as_numpy(self.values).reshape(len(self), -1), as_numpy(self.units)
        norms = as_numpy(self.norms)[units]
        return {"unit": units, "norm": norms, "smallest": values.min(axis=1), "largest": values.max(axis=1)}

    def details(self) -> Mapping[str, Any]:
        """The layer, which units are shown, and what they read."""
        return {"layer": self.layer, "units": as_numpy(self.units).tolist(), "reads": self.reads}

    def figures(self) -> Mapping[str, Any]:
        """How many filters there are, and of which shape."""
        shape = " x ".join(map(str, self.kernels.shape[1:]))
        return {"filters": f"{len(self)} of {self.kernels.shape[0]}, each {shape}"}

    def _facts(self) -> Iterator[str]:
        yield counted(len(self), "filter")
        yield f"{tuple(self.values.shape[1:])} of {self.layer!r}"


def _in_unit_range(kernel: Pixels, limit: float) -> Pixels:
    """Values as brightness from 1/255 to 1, zero at 128/255; the slices of a 3-D kernel side by side."""
    flat = side_by_side(kernel) if kernel.ndim == 4 else kernel[:, None, :] if kernel.ndim == 2 else kernel
    return np.asarray((128 + 127 * flat / limit) / 255)


def _pixels(unit: Pixels, bands: Sequence[int] | None = None) -> Pixels:
    """(C, h, w) in [0, 1] as (h, w, 3), uint8; of two channels blue stays in the middle."""
    shown = np.concatenate([unit, np.full_like(unit[:1], 128 / 255)]) if unit.shape[0] == 2 and not bands else unit
    return np.asarray((np.moveaxis(false_colour(shown, (0.0, 1.0), bands), 0, -1) * 255).round(), np.uint8)
