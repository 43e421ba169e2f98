"""`UnitTable`: a row of statistics for each unit of several layers, their histograms, and the plots of both."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError, LayerError, ParameterError, did_you_mean
from ..image.io import save_image
from ..result.display import Pixels, counted
from ..result.formats import PICTURES
from ..result.table import Table

__all__ = ["UnitTable"]

Numbers = np.ndarray[Any, Any]
SHOWN_UNITS = 4
"""Units whose histograms a sheet shows."""


@dataclass(frozen=True)
class UnitTable(Table):
    """A row for each unit, columns "layer" and "unit" first; figures of whole layers; histograms where they were asked.

    `.png`, `.jpg` and `.webp` are a sheet of plots, which takes matplotlib.
    """

    layers: Mapping[str, Mapping[str, float]] = field(default_factory=dict, kw_only=True)
    """By layer: units, dead ones, share of zeros, sparsity."""
    histograms: Mapping[str, Mapping[str, Array]] = field(default_factory=dict, kw_only=True)
    """By layer: "counts" (units, bins), "edges" (units, bins + 1), and "before_counts", "before_edges" of what its
    rectifier reads."""
    _suffixes = (*PICTURES, ".npz")
    _choices = ".png, .jpg or .webp for a sheet of plots, .npz for everything"

    def details(self) -> Mapping[str, Any]:
        """The columns, and the figures of the layers."""
        return {**super().details(), "layers": {name: dict(figures) for name, figures in self.layers.items()}}

    def figures(self) -> Mapping[str, Any]:
        """By layer."""
        return {name: dict(figures) for name, figures in self.layers.items()}

    def _facts(self) -> Iterator[str]:
        yield counted(len(self), "unit")
        yield counted(len(self.layers), "layer")
        yield f"{int(np.sum(as_numpy(self.columns['dead'])))} dead"

    def save_into(self, folder: Path) -> Sequence[Path]:
        """The table as Parquet, and `sheet.png` where matplotlib is installed."""
        table = super().save_into(folder)
        try:
            picture = self.picture()
        except ImageError:
            return table
        save_image(np.moveaxis(picture, -1, 0) / np.float32(255), folder / "sheet.png")
        return [folder / "sheet.png", *table]

    def rows_of(self, layer: str) -> Numbers:
        """The places of a layer's units in the table.

        Raises:
            LayerError: the table has no such layer.
        """
        if layer not in self.layers:
            raise LayerError(f"no layer {layer!r} in this table.{did_you_mean(layer, self.layers)}")
        return np.flatnonzero(as_numpy(self.columns["layer"]) == layer)

    def plot_layers(self, axes: Any) -> Any:
        """Draw the sparsity of each layer, and its share of dead units, on matplotlib axes; returns the axes."""
        names = list(self.layers)
        places = np.arange(len(names))
        for key, label in _SHARES.items():
            axes.plot(places, [self.layers[name][key] for name in names], "o-", ms=4, label=label)
        dead = [figures["dead"] / figures["units"] for figures in self.layers.values()]
        axes.bar(places, dead, color="0.7", label="dead units")
        axes.set_xticks(places, names, rotation=60, ha="right", fontsize="x-small")
        axes.set_ylim(0, 1.05)
        axes.set_ylabel("share, sparsity")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
        return axes

    def plot_unit(self, axes: Any, layer: str, unit: int) -> Any:
        """Draw a unit's histogram, and that of what its rectifier reads, on matplotlib axes; returns the axes.

        Raises:
            LayerError, ParameterError: no such layer or unit, or the table has no histograms.
        """
        self.rows_of(layer)
        if layer not in self.histograms:
            raise ParameterError("this table has no histograms: run unit_statistics with bins=40")
        known = {name: as_numpy(values) for name, values in self.histograms[layer].items()}
        if not 0 <= unit < len(known["counts"]):
            raise ParameterError(f"layer {layer!r} has units 0 to {len(known['counts']) - 1}; {unit} is none")
        for name, label in (("before_", "before the rectifier"), ("", "activation")):
            if f"{name}counts" in known:
                counts, edges = known[f"{name}counts"][unit], known[f"{name}edges"][unit]
                heights = counts / max(counts.sum(), 1) / np.diff(edges)
                axes.stairs(heights, edges, label=label, fill=True, alpha=0.5)
        axes.set_yscale("log")
        axes.set_title(f"{layer} {unit}", fontsize="small")
        axes.tick_params(labelsize="x-small")
        axes.legend(fontsize="x-small")
        return axes

    def plot_units(self, axes: Any, layer: str) -> Any:
        """Draw a layer's units by their mean: mean, deviation and maximum, on matplotlib axes; returns the axes."""
        rows = self.rows_of(layer)
        mean, deviation, top = (as_numpy(self.columns[name])[rows] for name in ("mean", "deviation", "maximum"))
        order = np.argsort(-mean, kind="stable")
        places = np.arange(len(rows))
        axes.fill_between(places, (mean - deviation)[order], (mean + deviation)[order], alpha=0.3, label="deviation")
        axes.plot(places, mean[order], label="mean")
        axes.plot(places, top[order], ".", ms=2, label="maximum")
        axes.set_xlabel(f"units of {layer}, by their mean", fontsize="small")
        axes.grid(alpha=0.3)
        axes.legend(fontsize="x-small")
        return axes

    def picture(self) -> Pixels:
        """The sheet as pixels: layers, the units of the last one, histograms of a few, (H, W, 3) uint8.

        Raises:
            ImageError: matplotlib is not installed.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImageError(
                "drawing plots takes matplotlib: pip install 'crosslens[plot]'; .npz holds the numbers without it"
            ) from error
        last, shown = list(self.layers)[-1], self._shown_units()
        rows = 3 if shown else 2
        figure = Figure(figsize=(11, 3.4 * rows), dpi=100, layout="constrained")
        figure.suptitle(f"{self.method}: {counted(len(self), 'unit')} of {counted(len(self.layers), 'layer')}")
        grid = figure.add_gridspec(rows, SHOWN_UNITS)
        self.plot_layers(figure.add_subplot(grid[0, :]))
        self.plot_units(figure.add_subplot(grid[1, :]), last)
        for place, unit in enumerate(shown):
            self.plot_unit(figure.add_subplot(grid[2, place]), last, unit)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return np.array(np.asarray(canvas.buffer_rgba())[..., :3])

    def _shown_units(self) -> list[int]:
        """Of the last layer: units from the strongest mean to the weakest, evenly; none without histograms."""
        last = list(self.layers)[-1]
        if last not in self.histograms:
            return []
        means = as_numpy(self.columns["mean"])[self.rows_of(last)]
        order = np.argsort(-means, kind="stable")
        places = np.linspace(0, len(order) - 1, min(SHOWN_UNITS, len(order))).astype(int)
        return [int(unit) for unit in order[places]]


_SHARES: Mapping[str, str] = {
    "zeros": "share of zeros",
    "lifetime_sparsity": "lifetime sparsity",
    "population_sparsity": "population sparsity",
}
