"""`Scores`: results that are numbers, a curve or single figures for each image."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError
from ..html_table import html_table
from .base import Result, new_axes
from .display import counted

__all__ = ["Scores"]


@dataclass(frozen=True)
class Scores(Result):
    """Numbers that judge an explanation: one or several series for each image, along an axis or at a single place."""

    values: Array
    """(N, S, P): image, series, position on the axis."""
    series: tuple[str, ...] = field(kw_only=True)
    """What each of the S series is, with its unit."""
    axis: str = field(default="", kw_only=True)
    """What the positions are; empty where there is one only."""
    positions: tuple[float | str, ...] = field(default=("",), kw_only=True)
    """The P places on the axis: numbers, ascending, or names."""

    def _per_image(self) -> tuple[str, ...]:
        return ("images", "values")

    def _main_array(self) -> Array:
        return self.values

    def _columns(self) -> Mapping[str, Any]:
        """One row for each image and position, with a column for each series."""
        values = as_numpy(self.values)
        images, _, places = values.shape
        columns: dict[str, Any] = {"image": np.arange(images).repeat(places)}
        if places > 1:
            columns[self.axis or "position"] = list(self.positions) * images
        return columns | {name: values[:, n, :].ravel() for n, name in enumerate(self.series)}

    def details(self) -> Mapping[str, Any]:
        """What the values are."""
        return {"series": self.series, "axis": self.axis, "positions": self.positions}

    @property
    def areas(self) -> np.ndarray[Any, Any]:
        """(N, S): the area under each curve by the trapezoid rule, over an axis scaled to length 1.

        A single number is its own area; along named positions the mean is taken.
        """
        values = as_numpy(self.values).astype(np.float64)
        if len(self.positions) == 1 or isinstance(self.positions[0], str):
            return np.asarray(values.mean(axis=2))
        places = np.asarray(self.positions, np.float64)
        return np.asarray(np.trapezoid(values, places, axis=2) / (places[-1] - places[0]))

    def figures(self) -> Mapping[str, float]:
        """The number that stands for each series, a mean over the images: the value, or the area under the curve."""
        prefix = "" if len(self.positions) == 1 else "mean of " if isinstance(self.positions[0], str) else "area under "
        return {prefix + name: float(area) for name, area in zip(self.series, self.areas.mean(axis=0), strict=True)}

    def _facts(self) -> Iterator[str]:
        yield counted(len(self), "image")
        yield from super()._facts()

    def _repr_html_(self) -> str | None:
        """The figures, in a notebook without matplotlib; with it the plot is shown."""
        if find_spec("matplotlib") is not None:
            return None
        rows = [(name, f"{value:.4g}") for name, value in self.figures().items()]
        return html_table((), rows, above=repr(self).strip("<>"), below=self.notes)

    def plot(self, axes: Any = None, index: int | None = None) -> Any:
        """Draw the curves of image `index`, of all images' mean if not given, on matplotlib axes; returns the axes."""
        axes = axes or new_axes()
        values = as_numpy(self.values)
        shown = values.mean(axis=0) if index is None else values[index]
        if len(self.positions) == 1:
            axes.bar(range(len(self.series)), shown[:, 0], width=0.5)
            axes.set_xticks(range(len(self.series)), self.series)
        else:
            self._curves(axes, shown)
        axes.set_title(", ".join([self.method, *(f"{k} {v}" for k, v in self.parameters.items() if k == "method")]))
        return axes

    def _curves(self, axes: Any, shown: np.ndarray[Any, Any]) -> None:
        named = isinstance(self.positions[0], str)
        places = range(len(self.positions)) if named else self.positions
        for name, values in zip(self.series, shown, strict=True):
            axes.plot(places, values, label=name, marker="o" if named else None)
        if named:
            axes.set_xticks(places, self.positions, rotation=60, ha="right", fontsize="small")
        axes.set_xlabel(self.axis)
        axes.grid(alpha=0.3)
        axes.legend()

    def picture(self) -> np.ndarray[Any, Any]:
        """The plot as pixels, (480, 640, 3) uint8.

        Raises:
            ImageError: matplotlib is not installed.
        """
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImageError(
                "drawing curves takes matplotlib: pip install 'crosslens[plot]'; .npz holds the numbers without it"
            ) from error
        figure = Figure(figsize=(6.4, 4.8), dpi=100, layout="constrained")
        self.plot(figure.add_subplot())
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return np.array(np.asarray(canvas.buffer_rgba())[..., :3])
