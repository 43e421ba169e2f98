"""Nearest neighbours: the images that a layer puts closest to each image, duplicates and doubtful labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.features import AUTO, CHOICES, Features, features_of
from crosslens.data.image_marks import ImageLabels
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.result.table import Table

from ._exact_neighbours import COSINE, EUCLID, exact_neighbours
from ._pixel_digests import PixelDigests

__all__ = ["NearestNeighbours"]

Numbers = np.ndarray[Any, Any]


@dataclass(frozen=True, kw_only=True)
class NearestNeighbours(DatasetMethod):
    """The images that a layer puts closest to each.

    For each image of the data, the other images whose features in a layer are nearest; exact, equal distances in the
    order of the source. The table says by place in the source: `neighbour` (n, count) and `distance`; `duplicate_of`,
    the first neighbour not farther than `duplicate`, and `same_pixels_as`, the first image with the same pixels as the
    model takes them, -1 where there is none; `agreeing`, how many neighbours have the image's label (-1 without one). A
    label is `suspect` where one other label is that of at least `share` of all neighbours: `suggested`. Suspect labels
    are a list to look at: right labels of unusual pictures stand in it too.
    """

    name = "nearest_neighbours"
    aliases: ClassVar[Mapping[str, str]] = {"knn": ""}
    example: ClassVar[Mapping[str, Any]] = {"count": 1}
    layer: str | None = param(None, 'layer by name, or "<input>" for pixels; the last maps if not given')
    pooling: str = param(AUTO, "over positions; auto: flatten for <input>, else mean", choices=CHOICES)
    metric: str = param(COSINE, "1 - cos of the angle, or the length of the difference", choices=(COSINE, EUCLID))
    count: int = param(10, "neighbours of each image", minimum=1)
    duplicate: float = param(1e-6, "distance of duplicates at most; of euclid, as a share of a row's length", minimum=0)
    share: float = param(0.8, "of neighbours with one other label, from which a label is suspect", minimum=0, maximum=1)

    def check_parameters(self) -> None:
        super().check_parameters()
        if self.share <= 0.5:
            raise ParameterError(f"share is {self.share}; give more than 0.5, so that one label can be suggested")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The default layer of the network's output."""
        return {} if self.layer else {"layer": default_layer(model)}

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        if gathered is not None:
            return []
        if self.count >= len(source):
            raise ParameterError(
                f"count is {self.count}; there are {len(source)} images: give at most {len(source) - 1}"
            )
        return [features_of(model, str(self.layer), self.pooling), ImageLabels(), PixelDigests()]

    def finish(self, model: Model, source: Source, gathered: Mapping[Statistic, State], progress: Progress) -> Table:
        features = next(state for each, state in gathered.items() if isinstance(each, Features))
        labels, index = gathered[ImageLabels()]["label"], features["index"]
        if self.count >= len(index):
            raise ParameterError(
                f"count is {self.count}; {len(index)} images could be read: give at most {len(index) - 1}"
            )
        rows = features["rows"][index]
        if not np.isfinite(rows).all():
            raise ModelError(f"layer {self.layer!r} gives NaN or infinite values for some images; look at its weights")
        places, distances = exact_neighbours(rows, self.count, self.metric)
        agreeing, suggested = _votes(labels, places, self.share)
        lengths = np.ones(len(rows)) if self.metric == COSINE else np.sqrt((rows.astype(np.float64) ** 2).sum(axis=1))
        near = distances <= self.duplicate * lengths[:, None]
        columns = {
            "image": np.array([source.ids[place] for place in index]),
            "index": index,
            "label": labels,
            "neighbour": index[places],
            "distance": distances,
            "duplicate_of": np.where(near[:, 0], index[places[:, 0]], -1),
            "same_pixels_as": _first_alike(gathered[PixelDigests()]["rows"][index], index),
            "agreeing": agreeing,
            "suspect": suggested != "",
            "suggested": suggested,
        }
        return Table(columns, notes=self._notes(columns, rows))

    def _notes(self, columns: Mapping[str, Numbers], rows: Numbers) -> tuple[str, ...]:
        near, same = int((columns["duplicate_of"] >= 0).sum()), int((columns["same_pixels_as"] >= 0).sum())
        zeros = 0 if self.metric == EUCLID else int((~rows.any(axis=1)).sum())
        found = f"{near} images have a neighbour within {self.duplicate:g}; {same} have the pixels of another"
        unlabelled = int((columns["label"] == "").sum())
        suspects = f"{int(columns['suspect'].sum())} labels are suspect: {self.share:g} of the neighbours share another"
        return (
            found,
            *([suspects] if unlabelled < len(rows) else []),
            *([f"{unlabelled} images have no label, so none of theirs is judged"] if unlabelled else []),
            *([f"{zeros} images have features of zeros only: cosine distance 1 to all others"] if zeros else []),
        )


def _votes(labels: Numbers, places: Numbers, share: float) -> tuple[Numbers, Numbers]:
    """How many neighbours have an image's label, -1 without one; and the other label most have, or ""."""
    agreeing, suggested = np.full(len(labels), -1), [""] * len(labels)
    for n, near in enumerate(labels[places].tolist()):
        own = str(labels[n])
        if not own:
            continue
        agreeing[n] = near.count(own)
        label, votes = Counter(near).most_common(1)[0]
        if label not in ("", own) and votes / len(near) >= share:
            suggested[n] = label
    return agreeing, np.array(suggested)


def _first_alike(digests: Numbers, index: Numbers) -> Numbers:
    """The place of the first other image with the same pixels, -1 where there is none."""
    groups: dict[bytes, list[int]] = {}
    for n, digest in enumerate(digests):
        groups.setdefault(digest.tobytes(), []).append(n)
    first = np.full(len(index), -1, np.int64)
    for same in groups.values():
        for n in same[1:]:
            first[n] = index[same[0]]
        if len(same) > 1:
            first[same[0]] = index[same[1]]
    return first


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [NearestNeighbours]
