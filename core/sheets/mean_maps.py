"""`MeanMaps`: attributions averaged over the images of a data set, or over each class, with their spread."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array, as_numpy, resample
from ..image.colormap import colour, full_scale
from ..image.false_colour import side_by_side
from ..result.base import Result
from ..result.data_frame import long_columns
from ..result.display import counted
from ..result.formats import PICTURES
from .grid import sheet
from .tile import Tile

__all__ = ["MeanMaps"]

Pixels = np.ndarray[Any, Any]


@dataclass(frozen=True)
class MeanMaps(Result):
    """A mean map and a deviation for each class, or for all images; raw values, at the resolution of the layer."""

    mean: Array
    """(G, h, w), float64; of volumes (G, d, h, w)."""
    deviation: Array
    """The standard deviation at each position over the images, divided by their number; of the shape of `mean`."""
    counts: Array
    """Images in each mean, (G,)."""
    labels: tuple[str, ...]
    """The name of each class; of all images, "all images"."""
    size: tuple[int, ...]
    """(H, W) of the images, or (D, H, W): maps are drawn at it."""
    _item: ClassVar[str] = "class"
    _suffixes: ClassVar[tuple[str, ...]] = (*PICTURES, ".npz")
    _choices: ClassVar[str] = ".png, .jpg or .webp for a picture, .npz for everything"

    def _per_image(self) -> tuple[str, ...]:
        return ("mean", "deviation", "counts", "labels")

    def picture(self) -> Pixels:
        """A row for each class: the mean and the deviation, enlarged to the images' size.

        All means have one scale, and all deviations have one. Colours are those of attributions: dark to bright, or
        blue through white to red where means have both signs.
        """
        means, deviations = self._enlarged(self.mean), self._enlarged(self.deviation)
        signed = bool((means < 0).any())
        ends = full_scale(means), full_scale(deviations)
        rows = []
        for label, count, mean, deviation in zip(self.labels, as_numpy(self.counts), means, deviations, strict=True):
            first = Tile(colour(mean, ends[0], signed), f"{label}: {counted(int(count), 'image')}")
            rows.append([first, Tile(colour(deviation, ends[1], signed=False), "deviation")])
        return sheet(rows, heading=f"mean over images, to {ends[0]:.3g}; deviation, to {ends[1]:.3g}")

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`means.png`, the picture."""
        return [self.save(folder / "means.png")]

    def _enlarged(self, maps: Array) -> Pixels:
        """(G, H, W); slices of volumes side by side."""
        large = as_numpy(resample(maps, tuple(self.size)))
        return np.stack([side_by_side(each) for each in large]) if large.ndim == 4 else large

    def _main_array(self) -> Array:
        return self.mean

    def _columns(self) -> Mapping[str, Any]:
        """One row for each value of a mean: its class, its place, the mean and the deviation."""
        mean = as_numpy(self.mean)
        places = ["class", *("depth", "row", "column")[4 - mean.ndim :]]
        columns = dict(long_columns(mean, places))
        columns["class"] = np.asarray(self.labels)[columns["class"]]
        return {**columns, "deviation": as_numpy(self.deviation).reshape(-1)}

    def figures(self) -> Mapping[str, Any]:
        """The images of each class."""
        return {"images": dict(zip(self.labels, as_numpy(self.counts).tolist(), strict=True))}

    def _facts(self) -> Iterator[str]:
        yield f"maps {tuple(self.mean.shape)}"
        yield f"over {counted(int(as_numpy(self.counts).sum()), 'image')}"
