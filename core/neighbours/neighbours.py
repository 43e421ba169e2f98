"""`Neighbours`: the nearest images of each image as a table and a sheet; duplicates and doubtful labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy
from ..errors import ParameterError, unknown_name
from ..execution.progress import Progress, silent
from ..method.provenance import provenance
from ..model.base import Model
from ..result.display import Pixels, counted
from ..result.formats import PICTURES
from ..result.selection import items_at
from ..result.table import Table
from .gather import Gather
from .listing import listing
from .queries import asked_images
from .search import Asked, Images, Search
from .sheet import VIEWS, drawn
from .votes import groups_of

__all__ = ["VIEWS", "Neighbours"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class Neighbours(Table):
    """A row for each image that was asked for, all of the data or some pictures; `neighbours_of` asks for others.

    The columns are those of `nearest_neighbours`. Places are those in the data.
    """

    data: Mapping[str, Array] = field(default_factory=dict)
    """The images that were searched: "index" (n,), "image", "label", "pixels" (n, 16), digests; by place in the data
    "features" (N, width) and "thumbnails" (N, side, side, 3), where they are kept."""
    thumbnails: Array = None
    """(rows, side, side, 3), uint8, of the images asked for; None where these are all of the data."""
    fitting: Mapping[str, Any] = field(default_factory=dict)
    """`resize` and `crop` of the data's pictures, None for what `crosslens.load_image` does by itself."""
    show: str = "neighbours"
    """What `picture` and `text` show: one of `VIEWS`."""
    sheet_rows: int = 20
    """Rows of a sheet at most."""
    _suffixes = (*PICTURES, ".npz", ".csv", ".parquet")
    _choices = ".png, .jpg or .webp for a sheet, .csv or .parquet for the columns, .npz for everything"

    @property
    def of_queries(self) -> bool:
        """Whether some images were asked for, and not all of the data."""
        return "neighbour_image" in self.columns

    @property
    def suspects(self) -> Numbers:
        """The rows with doubtful labels: first where most neighbours have one other label, then as they stand."""
        rows = np.flatnonzero(as_numpy(self.columns["suspect"]))
        return np.asarray(rows[np.argsort(-as_numpy(self.columns["votes"])[rows], kind="stable")])

    @property
    def duplicates(self) -> list[list[int]]:
        """Groups of rows whose images are alike in the layer, or have the same pixels; of queries a row each.

        A group is joined by pairs: its first and its last image may be farther from each other than `duplicate`.
        """
        alike, same = self._alike()
        if self.of_queries:
            return [[int(row)] for row in np.flatnonzero(alike.any(axis=1) | (same >= 0))]
        rows = np.full(int(as_numpy(self.columns["index"]).max(initial=-1)) + 1, -1)
        rows[as_numpy(self.columns["index"])] = np.arange(len(self))
        row, which = np.nonzero(alike)
        a = np.concatenate([row, np.flatnonzero(same >= 0)])
        places = np.concatenate([as_numpy(self.columns["neighbour"])[row, which], same[same >= 0]])
        known = places < len(rows)
        a, b = a[known], rows[places[known]]
        return groups_of(len(self), a[b >= 0], b[b >= 0])

    def _alike(self) -> tuple[Numbers, Numbers]:
        """Which neighbours (rows, count) are not farther than `duplicate`, and "same_pixels_as"."""
        near, alike, same = (as_numpy(self.columns[name]) for name in ("neighbour", "alike", "same_pixels_as"))
        return np.arange(near.shape[1]) < alike[:, None], same

    def duplicates_of(self, row: int) -> list[int]:
        """Places of the images that are alike to that of a row, the nearest first, and of one with the same pixels."""
        alike, same = self._alike()
        near = as_numpy(self.columns["neighbour"])[row][alike[row]].tolist()
        return list(dict.fromkeys([*near, int(same[row])] if same[row] >= 0 else near))

    def neighbours_of(self, images: Any, model: Model | None = None, count: int | None = None) -> "Neighbours":
        """The neighbours of some images among the data of this result, by the same layer and metric.

        Args:
            images: an id or a place of the data, a file, a folder or a pattern, or several of these; or pictures in
                memory as `crosslens.data` takes them.
            model: the network of this result; not needed for images of the data.
            count: neighbours of each; as many as in this result if not given.

        Raises:
            ParameterError: features were not kept (keep=False), or `model` is another network.
            ImageError: there is no such image, or a file cannot be read.
        """
        parameters = {**self.parameters, **({} if count is None else {"count": count})}
        return self.search_again(parameters, images, model)

    def search_again(
        self, parameters: Mapping[str, Any], wanted: Any = None, model: Model | None = None, progress: Progress = silent
    ) -> "Neighbours":
        """A search in the features of this result, by other parameters.

        Args:
            parameters: of `nearest_neighbours`; a layer or pooling that is given must be this result's.
            wanted: images to ask for, see `neighbours_of`; None for all of the data.
            model: the network, if there is one at hand.
            progress: called while the search goes on.
        """
        start = perf_counter()
        if "features" not in self.data:
            raise ParameterError(
                "this result holds no features, so nothing more can be asked of it: make it with keep=True"
            )
        gather = None if model is None else self.gather(model, parameters)
        images = self._images()
        asked = asked_images(wanted, images, model, gather, self.fitting) if wanted is not None else None
        made = made_of(images, Search.of(parameters, self._layer), asked, progress, keep=True)
        unread = self.provenance["source"]["failures"]
        left_out = f"{len(unread)} of the data's images could not be read and are left out"
        own = {} if model is None else provenance(model, None, perf_counter() - start)
        return replace(
            made,
            method=self.method,
            parameters={**self.parameters, **parameters},
            provenance={**self.provenance, **own},
            notes=(*made.notes, *([left_out] if unread else [])),
            fitting=self.fitting,
            show=self.show,
            sheet_rows=self.sheet_rows,
        )

    @property
    def _layer(self) -> str:
        return str(self.provenance["layers"][0])

    def gather(self, model: Model, parameters: Mapping[str, Any]) -> Gather:
        """What to compute of pictures from elsewhere.

        Raises:
            ParameterError: another network, preprocessing, layer or pooling.
        """
        made = self.provenance
        if made["model"] != model.digest:
            raise ParameterError(
                f"the features are of another network than this {model.backend} model (digests {made['model'][:8]} and "
                f"{model.last_digest[:8]}): give the network that they were made with, or run over the data again"
            )
        own = provenance(model, None, 0)
        if different := [name for name in ("preprocess", "bounds", "inputs") if made[name] != own[name]]:
            name = different[0]
            raise ParameterError(
                f"the features were made with {name} {made[name]}, and this model has {own[name]}: give the same"
            )
        layer, pooling = parameters.get("layer"), parameters["pooling"]
        if layer and model.layer(layer).name != self._layer:
            raise ParameterError(f"the features are of layer {self._layer!r}, not of {layer!r}: leave layer= out")
        if pooling not in {"auto", self.parameters["pooling"]}:
            raise ParameterError(
                f"the features were pooled by {self.parameters['pooling']}, not by {pooling}: leave pooling= out"
            )
        tiles = self.data.get("thumbnails")
        side = 0 if tiles is None else as_numpy(tiles).shape[1]
        return Gather.of(model, self._layer, self.parameters["pooling"], side)

    def _images(self) -> Images:
        index, ids, labels, pixels, features = (
            as_numpy(self.data[name]) for name in ("index", "image", "label", "pixels", "features")
        )
        tiles = self.data.get("thumbnails")
        return Images(index, ids, labels, pixels, features, None if tiles is None else as_numpy(tiles))

    def picture(self, show: str | None = None, rows: int | None = None) -> Pixels:
        """A sheet, (H, W, 3), uint8.

        Args:
            show: one of `VIEWS`; the result's own if not given. "neighbours": an image and its neighbours a row;
                "suspects": the same of doubtful labels; "duplicates": a group of images a row.
            rows: at most; the result's own if not given.

        Raises:
            ParameterError: no such view.
            ImageError: there are no thumbnails, or nothing to show.
        """
        show = show or self.show
        if show not in VIEWS:
            raise ParameterError(unknown_name("view", show, VIEWS))
        return drawn(self, show, self.sheet_rows if rows is None else rows)

    def text(self, rows: int | None = None) -> str:
        """Lines of text: neighbours of the first `rows` rows, groups of duplicates, suspects, as `show` says."""
        return listing(self, self.show, rows)

    def save_into(self, folder: Path) -> Sequence[Path]:
        """The sheet where there are thumbnails, and `table.parquet`."""
        sheet = "thumbnails" in self.data and self.rows_of(self.show)
        return [*([self.save(folder / "sheet.png")] if sheet else []), *super().save_into(folder)]

    def rows_of(self, show: str) -> list[list[int]]:
        """What each row of a view shows: rows of the table; one, or those of a group of duplicates."""
        if show == "duplicates":
            return self.duplicates
        return [[int(row)] for row in (self.suspects if show == "suspects" else range(len(self)))]

    def figures(self) -> Mapping[str, Any]:
        """How many duplicates and suspects there are."""
        columns = self.columns
        return {
            "duplicates": int((as_numpy(columns["duplicate_of"]) >= 0).sum()),
            "suspects": int(as_numpy(columns["suspect"]).sum()),
        }

    def _facts(self) -> Iterator[str]:
        yield counted(len(self), "image")
        yield from (f"{value} {name}" for name, value in self.figures().items())

    def _at(self, places: Sequence[int]) -> "Neighbours":
        """Some rows; the data that they were searched in stays whole."""
        chosen = super()._at(places)
        assert isinstance(chosen, Neighbours)
        return replace(chosen, thumbnails=None if self.thumbnails is None else items_at(self.thumbnails, places))


def made_of(
    images: Images, search: Search, asked: Asked | None, progress: Progress = silent, *, keep: bool
) -> Neighbours:
    """The result of a search.

    Args:
        images: those that are searched.
        search: how.
        asked: images that were asked for; None for all.
        progress: called while it goes on.
        keep: hold the features, for more questions.
    """
    columns, notes = search.table(images, asked, progress)
    data = {"index": images.index, "image": images.ids, "label": images.labels, "pixels": images.pixels}
    data |= {"features": images.features} if keep else {}
    data |= {} if images.thumbnails is None else {"thumbnails": images.thumbnails}
    return Neighbours(columns=columns, data=data, thumbnails=asked and asked.images.thumbnails, notes=notes)
