"""`Embedding`: images as points, drawn as dots coloured by class, as pictures at their places, or on a grid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ImageError, ParameterError, unknown_name
from ..layouts import Layout, layout_from_saved, snapped
from ..result.display import Pixels, counted
from ..result.formats import PICTURES
from ..result.selection import items_at, selected_provenance
from ..result.table import Table

__all__ = ["DRAWINGS", "Embedding"]

Numbers = np.ndarray[Any, Any]
DRAWINGS = ("dots", "pictures", "grid")
"""How an embedding is drawn."""
CANVAS = 1600
"""Pixels of a side of a drawing in pictures."""


@dataclass(frozen=True)
class Embedding(Table):
    """A row for each image: index, id, label, x, y and perhaps z; NaN where the image could not be read."""

    layout: Layout = field(kw_only=True)
    """How the points were made; `layout.place(rows)` adds new ones."""
    thumbnails: Array = field(default=None, kw_only=True)
    """(N, side, side, 3), uint8; None where the network takes no pictures."""
    draw: str = field(default="dots", kw_only=True)
    """What `picture` draws: one of `DRAWINGS`."""
    quality: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    """Trustworthiness and neighbourhood hit, each from 0 to 1."""
    _suffixes = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices = ".png, .jpg or .webp for a drawing, .csv or .parquet for the columns, .npz for everything"

    @property
    def points(self) -> Numbers:
        """(N, 2) or (N, 3), float32."""
        return self.layout.points

    def saved_fields(self) -> Mapping[str, Any]:
        return {**{f.name: getattr(self, f.name) for f in fields(self) if f.init}, "layout": self.layout.saved()}

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        return cls(**{**saved, "layout": layout_from_saved(saved["layout"])})

    def figures(self) -> Mapping[str, Any]:
        return dict(self.quality)

    def _facts(self) -> Iterator[str]:
        yield f"{counted(len(self), 'point')} by {self.layout.name}"
        yield from (f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.quality.items())

    def _at(self, places: Sequence[int]) -> "Embedding":
        chosen = np.asarray(places, int)
        layout = replace(self.layout, points=self.points[chosen])
        thumbnails = None if self.thumbnails is None else as_numpy(self.thumbnails)[chosen]
        columns = {name: items_at(values, places) for name, values in self.columns.items()}
        provenance = selected_provenance(self.provenance, places, len(self))
        return replace(self, columns=columns, layout=layout, thumbnails=thumbnails, provenance=provenance)

    def picture(self, draw: str | None = None) -> Pixels:
        """The points, (H, W, 3), uint8.

        Args:
            draw: one of `DRAWINGS`; the result's own if not given.

        Raises:
            ParameterError: no such drawing, or pictures in three dimensions.
            ImageError: there are no thumbnails, or matplotlib is not installed.
        """
        draw = draw or self.draw
        if draw not in DRAWINGS:
            raise ParameterError(unknown_name("drawing", draw, DRAWINGS))
        return self._dots() if draw == "dots" else self._pictures(on_grid=draw == "grid")

    def _pictures(self, *, on_grid: bool) -> Pixels:
        points, known = self.points, np.asarray(np.isfinite(self.points).all(axis=1))
        if self.thumbnails is None:
            raise ImageError("there are no thumbnails: the network takes no pictures; draw dots")
        if points.shape[1] != 2:
            raise ParameterError(f"pictures are drawn in a plane; the points have {points.shape[1]} dimensions")
        tiles = as_numpy(self.thumbnails)
        side = tiles.shape[1]
        if on_grid:
            corners = snapped(points) * side
            size = corners.max(axis=0) + side
        else:
            own = points[known].astype(float)
            extent = max(float(np.ptp(own, axis=0).max()), 1e-12)
            scaled = (points - own.min(axis=0)) / extent * (CANVAS - side)
            size = np.array([CANVAS, CANVAS])
            corners = np.where(known[:, None], np.stack([CANVAS - side - scaled[:, 1], scaled[:, 0]], axis=1), 0)
        canvas = np.full((*size.tolist(), 3), 255, np.uint8)
        for n in np.flatnonzero(known):
            top, left = corners[n].astype(int)
            canvas[top : top + side, left : left + side] = tiles[n]
        return canvas

    def _dots(self) -> Pixels:
        try:
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImageError("drawing dots takes matplotlib: pip install 'crosslens[plot]'") from error
        figure = Figure(figsize=(9, 8), dpi=100, layout="constrained")
        space = self.points.shape[1] == 3
        axes: Any = figure.add_subplot(projection="3d") if space else figure.add_subplot()
        labels = as_numpy(self.columns["label"]).astype(str)
        names = np.unique(labels)
        for n, name in enumerate(names):
            colour = f"C{n}" if len(names) <= 10 else _hue(n / len(names))
            axes.scatter(
                *self.points[np.flatnonzero(labels == name)].T,
                s=40 / len(labels) ** 0.3,
                color=colour,
                label=name or "no label",
            )
        axes.set_title(", ".join(self._facts()), fontsize="small")
        if not space:
            axes.set_aspect("equal", "datalim")
        if len(names) > 1:
            axes.legend(fontsize="x-small", markerscale=2, ncols=1 + len(names) // 30)
        canvas: Any = FigureCanvasAgg(figure)
        canvas.draw()
        return np.array(np.asarray(canvas.buffer_rgba())[..., :3])


def _hue(share: float) -> Any:
    from matplotlib import colormaps

    return colormaps["hsv"](share)
