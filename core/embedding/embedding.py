"""`Embedding`: images as points, drawn as dots coloured by class, as pictures at their places, or on a grid."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Optional, Self, cast

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError, unknown_name
from ..execution.progress import Progress
from ..execution.workers import Workers
from ..layouts import Layout, layout_from_saved
from ..layouts.layout import usable
from ..model.base import Model
from ..plugins.registry import method
from ..result.display import Pixels, counted
from ..result.formats import PICTURES
from ..result.selection import items_at, selected_provenance
from ..result.table import Table
from .drawing import DRAWINGS, Drawn

__all__ = ["DRAWINGS", "Embedding"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Embedding(Table):
    """A row for each image: index, id, label, x, y and perhaps z; NaN where the image could not be read.

    An `.npz` holds the thumbnails too, 3 side^2 bytes an image before they are compressed, and what new points are
    placed by: with t-SNE and UMAP the rows that were laid out. A part, `result[places]`, has no `quality`: that is of
    all points, and the rows to judge a part by are not kept.
    """

    layout: Layout = field(kw_only=True)
    """How the points were made; `layout.place(rows)` adds new ones, `place(model, data)` new images."""
    thumbnails: Array = field(default=None, kw_only=True)
    """(N, side, side, 3), uint8; None where the network takes no pictures."""
    draw: str = field(default="dots", kw_only=True)
    """What `picture` draws: one of `DRAWINGS`."""
    quality: Mapping[str, float] = field(default_factory=dict, kw_only=True)
    """Trustworthiness and neighbourhood hit, each from 0 to 1; of points that joined a layout only the second, among
    the old ones."""
    onto: Optional["Embedding"] = field(default=None, kw_only=True)
    """The embedding whose layout these points joined, drawn pale behind them; None where they have their own."""
    _suffixes = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices = ".png, .jpg or .webp for a drawing, .csv or .parquet for the columns, .npz for everything"

    @property
    def points(self) -> Numbers:
        """(N, 2) or (N, 3), float32."""
        return self.layout.points

    def place(
        self, model: Model, data: Any, *, workers: Workers | None = None, progress: Progress | None = None
    ) -> "Embedding":
        """New images in this layout, whose own points stay where they are.

        Args:
            model: the network that this embedding is of, or the same one in another framework.
            data: a `crosslens.Source`, or what `crosslens.data` makes one of.
            workers: who computes; see `crosslens.DatasetMethod`.
            progress: called with (images done, all of them, which round).

        Returns:
            An embedding of the new images, with this one as its `onto`.

        Raises:
            CrosslensError: the network has no such layer, or one of another width; what is wrong with the data.
        """
        side = 0 if self.thumbnails is None else self.thumbnails.shape[1]
        joins = method("embedding", onto=self, draw=self.draw, thumbnail=side)
        return cast(Embedding, joins(model, data, workers=workers, progress=progress))

    def saved_fields(self) -> Mapping[str, Any]:
        """As `Result`; what places new points is kept once, here and not in `onto`."""
        own = {**{f.name: getattr(self, f.name) for f in fields(self) if f.init}, "layout": self.layout.saved()}
        if self.onto is not None:
            old = self.onto.saved_fields()
            own["onto"] = {**old, "layout": {**old["layout"], "state": {}}}
        return own

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Self:
        onto = saved.get("onto")
        if onto is not None:
            old = {**onto["layout"], "state": saved["layout"]["state"]}
            onto = Embedding.from_saved({**onto, "layout": old})
        return cls(**{**saved, "onto": onto, "layout": layout_from_saved(saved["layout"])})

    def save_into(self, folder: Path) -> Sequence[Path]:
        """`picture.png`, drawn as `draw` says, and `table.parquet`."""
        return [self.save(folder / "picture.png"), *super().save_into(folder)]

    def figures(self) -> Mapping[str, Any]:
        return dict(self.quality)

    def _facts(self) -> Iterator[str]:
        yield f"{counted(int(usable(self.points).sum()), 'point') or 'no point'} by {self.layout.name}"
        if self.onto is not None:
            yield f"joined to {counted(len(self.onto), 'old one')}"
        yield from (f"{name.replace('_', ' ')} {value:.3f}" for name, value in self.quality.items())

    def _at(self, places: Sequence[int]) -> "Embedding":
        chosen = np.asarray(places, int)
        layout = replace(self.layout, points=self.points[chosen])
        thumbnails = None if self.thumbnails is None else as_numpy(self.thumbnails)[chosen]
        columns = {name: items_at(values, places) for name, values in self.columns.items()}
        provenance = selected_provenance(self.provenance, places, len(self))
        return replace(self, columns=columns, layout=layout, thumbnails=thumbnails, provenance=provenance, quality={})

    def picture(self, draw: str | None = None) -> Pixels:
        """The points, (H, W, 3), uint8; those of the layout that they joined are pale.

        Pictures at their places lie over each other: one that others would cover by more than a half is left out, and
        the title says how many are shown. A grid shows all.

        Args:
            draw: one of `DRAWINGS`; the result's own if not given.

        Raises:
            ParameterError: no such drawing, or pictures in three dimensions.
            ImageError: there are no thumbnails.
        """
        draw = draw or self.draw
        if draw not in DRAWINGS:
            raise ParameterError(unknown_name("drawing", draw, DRAWINGS))
        old, every = self.onto, [*([self.onto] if self.onto else []), self]
        tiles = [as_numpy(each.thumbnails) for each in every if each.thumbnails is not None]
        whole = len(tiles) == len(every) and len({each.shape[1] for each in tiles}) == 1
        return Drawn(
            np.concatenate([each.points for each in every]),
            [str(label) for each in every for label in as_numpy(each.columns["label"])],
            np.concatenate(tiles) if whole else None,
            None if old is None else np.arange(len(old) + len(self)) >= len(old),
            ", ".join(self._facts()),
        ).picture(draw)
