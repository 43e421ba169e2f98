"""Nearest neighbours: the images that a layer puts closest to each image, duplicates and doubtful labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from crosslens.data import Source, State, Statistic
from crosslens.data.features import AUTO, CHOICES
from crosslens.data.sources.contents import is_array
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import DatasetMethod, param
from crosslens.method.texts import as_texts
from crosslens.model import Model
from crosslens.neighbours.earlier import Earlier, earlier_neighbours
from crosslens.neighbours.gather import Gather
from crosslens.neighbours.neighbours import VIEWS, Neighbours, made_of
from crosslens.neighbours.queries import asked_images, refuse_unknown
from crosslens.neighbours.search import EXACT_UP_TO, SEARCHES, Search
from crosslens.neighbours.space import COSINE, METRICS
from crosslens.plugins import hookimpl
from crosslens.result.display import counted

__all__ = ["NearestNeighbours"]


@dataclass(frozen=True, kw_only=True)
class NearestNeighbours(DatasetMethod):
    """The images that a layer puts closest to each.

    For each image of the data, or each of `query`, the other images whose features in a layer are nearest; equal
    distances in the order of the source. The table says by place in the source: `neighbour` (n, count) and `distance`;
    `alike`, how many of them are not farther than `duplicate`, and `duplicate_of`, the first of these;
    `same_pixels_as`, the first image with the same pixels as the model takes them; -1 where there is none. `agreeing`
    is how many neighbours have the image's label (-1 without one), `votes` how many have the most frequent other label,
    which is `suggested` from `share` of all on, and then the own label is `suspect`. Suspect labels are a list to look
    at: right labels of unusual pictures stand in it too. An earlier result, its .npz or its survey, may stand in place
    of the data: nothing is computed again.
    """

    name = "nearest_neighbours"
    aliases: ClassVar[Mapping[str, str]] = {"knn": ""}
    example: ClassVar[Mapping[str, Any]] = {"count": 1}
    layer: str | None = param(None, 'layer by name, or "<input>" for pixels; the last maps if not given')
    pooling: str = param(AUTO, "over positions; auto: flatten for <input>, else mean", choices=CHOICES)
    metric: str = param(COSINE, "1 - cos of the angle, or the length of the difference", choices=METRICS)
    count: int = param(10, "neighbours of each image, or as many as there are", minimum=1)
    query: tuple[str, ...] = param((), "images asked for: ids or places in the data, files, folders; all if empty")
    duplicate: float | None = param(
        None, "distance of duplicates at most, of euclid as a share of a row's length; rounding if not given", minimum=0
    )
    share: float = param(0.8, "of neighbours with one other label, from which a label is suspect", minimum=0, maximum=1)
    search: str = param(
        "auto", f"exact, or approximate by usearch; auto: exact up to {EXACT_UP_TO:,} images", choices=SEARCHES
    )
    indexes: str | None = param(None, "folder of indexes of approximate searches; a part of the cache if not given")
    show: str = param("neighbours", "what the sheet and the listing show", choices=VIEWS)
    shown: int = param(20, "rows of the sheet", minimum=1)
    thumbnail: int = param(64, "pixels of a small picture's side, at most; 0 for none, and no sheet", minimum=0)
    keep: bool = param(True, "features go into the result, so that more can be asked of it")

    def __post_init__(self) -> None:
        object.__setattr__(self, "query", as_texts(self.query))

    def check_parameters(self) -> None:
        query: Any = self.query
        if is_array(query) or (isinstance(query, list | tuple) and any(map(is_array, query))):
            raise ParameterError(
                "query names images; of pictures in memory ask the result: .neighbours_of(pictures, model)"
            )
        super().check_parameters()
        if self.indexes is not None and self.search == "exact":
            raise ParameterError(f"indexes is {self.indexes!r}, and an exact search has none: leave one of them out")
        if self.share <= 0.5:
            raise ParameterError(f"share is {self.share}; give more than 0.5, so that one label can be suggested")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The default layer of the network's output."""
        return {} if self.layer else {"layer": default_layer(model)}

    def _gather(self, model: Model) -> Gather:
        return Gather.of(model, str(self.layer), self.pooling, self.thumbnail)

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        if gathered is not None:
            return []
        if len(source) - (not self.query) < 1:
            raise ParameterError(
                f"the data have {counted(len(source), 'image') or 'no image'}: neighbours need another image, or query="
            )
        refuse_unknown(self.query, source.ids)
        return self._gather(model).statistics(model, source)

    def finish(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress
    ) -> Neighbours:
        fitting = {name: getattr(source, name, None) for name in ("resize", "crop")}
        gather = self._gather(model)
        images = gather.images(source.ids, gathered)
        asked = asked_images(self.query, images, model, gather, fitting) if self.query else None
        made = made_of(images, Search.of(vars(self), str(self.layer)), asked, progress, keep=self.keep)
        return self._shown(replace(made, fitting=fitting))

    def earlier(self, data: Any) -> Earlier | None:
        """An earlier result, its file or its survey."""
        return earlier_neighbours(data)

    def from_earlier(self, model: Model, earlier: Any, progress: Progress) -> Neighbours:
        """The search by these parameters, in the features of an earlier result."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        found = earlier.whole(model)
        found.gather(model, given)
        given |= {name: found.parameters[name] for name in ("layer", "pooling", "thumbnail")}
        return self._shown(found.search_again(given, self.query or None, model, progress))

    def _shown(self, made: Neighbours) -> Neighbours:
        """The result with what its sheet shows, and a note on what it leaves out."""
        made = replace(made, show=self.show, sheet_rows=self.shown)
        left = len(made.rows_of(self.show)) - self.shown
        what = {"duplicates": "groups of duplicates"}.get(
            self.show, "images" if self.show == "neighbours" else self.show
        )
        note = f"a sheet shows {self.shown} {what}, and {left} more are left out: shown=, query= or show= choose"
        return replace(made, notes=(*made.notes, note)) if left > 0 and "thumbnails" in made.data else made


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [NearestNeighbours]
