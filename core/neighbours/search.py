"""A table of neighbours: which images are searched, how, and what is said of each asked one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..errors import ModelError, ParameterError
from ..execution.progress import Progress, silent
from ..result.display import counted
from .approximate import approximate_neighbours
from .exact import exact_neighbours
from .space import COSINE, EUCLID, Space
from .votes import first_alike, votes

__all__ = ["EXACT_UP_TO", "SEARCHES", "Asked", "Images", "Search"]

Numbers = np.ndarray[Any, Any]
EXACT_UP_TO = 1_000_000
"""Images up to which "auto" is exact."""
SEARCHES = ("auto", "exact", "approximate")
ROUNDING = {COSINE: 2.0**-25, EUCLID: 2.0**-12}
"""Distances that rounding alone makes, at most: rows that agree in half of float32's 24 binary digits.

Rows r and r + e with |e| <= 2^-12 |r| have a cosine distance of at most |e|^2 / 2 |r|^2 = 2^-25, about 3e-8. What
rounding does is far below: in batches of 1, 5 and 16 photographs the features of EfficientNet-Lite0 differ by at most
5e-7 of their length (torch and Keras; not at all in ONNX Runtime).
"""


@dataclass(frozen=True, eq=False)
class Images:
    """The images of a data set that were read. `features`, `thumbnails` have a row at each image's place."""

    index: Numbers
    """(n,): their places in the data."""
    ids: Numbers
    labels: Numbers
    """(n,), "" for none."""
    pixels: Numbers
    """(n, bytes), digests."""
    features: Numbers
    """(N, width)."""
    thumbnails: Numbers | None = None

    def space(self, metric: str, layer: str = "") -> Space:
        """The features as points.

        Raises:
            ModelError: features are NaN or infinite, with the first image.
        """
        space = Space(self.features, self.index, metric)
        if (bad := space.first_without_numbers()) is not None:
            raise ModelError(
                f"layer {layer!r} gives NaN or infinite features of image {str(self.ids[bad])!r}; look at it, and at "
                "the network's weights"
            )
        return space


@dataclass(frozen=True, eq=False)
class Asked:
    """Images whose neighbours are wanted."""

    images: Images
    own: Numbers
    """(m,): their numbers among the images that are searched; -1 for images from elsewhere."""
    outside: bool = True
    """Whether the table names its neighbours, because they need not stand in it."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """How neighbours are found and judged; the parameters of `nearest_neighbours`."""

    layer: str = ""
    metric: str = COSINE
    count: int = 10
    duplicate: float | None = None
    share: float = 0.8
    search: str = "auto"
    folder: str | None = None

    @classmethod
    def of(cls, parameters: Mapping[str, Any], layer: str) -> "Search":
        """The search that a result's parameters describe."""
        names = ("metric", "count", "duplicate", "share", "search")
        return cls(layer=layer, folder=parameters["indexes"], **{name: parameters[name] for name in names})

    def table(
        self, images: Images, asked: Asked | None = None, progress: Progress = silent
    ) -> tuple[Mapping[str, Numbers], tuple[str, ...]]:
        """The columns of a table of `Neighbours`, and notes.

        Args:
            images: those that are searched.
            asked: those whose neighbours are wanted; all if not given.
            progress: called while it goes on.

        Raises:
            ParameterError: there is no other image.
            ModelError: features are NaN or infinite.
        """
        asked = asked or Asked(images, np.arange(len(images.index)), outside=False)
        most = len(images.index) - bool((asked.own >= 0).any())
        if most < 1:
            raise ParameterError(
                f"{counted(len(images.index), 'image') or 'no image'} could be read: neighbours need another image"
            )
        if self.count > most:
            columns, notes = replace(self, count=most).table(images, asked, progress)
            return columns, (f"all {most} other images are neighbours: there are no {self.count}", *notes)
        space = images.space(self.metric, self.layer)
        points = space if asked.images is images else asked.images.space(self.metric, self.layer)
        places, distances, how = self._neighbours(space, points, asked.own, progress)
        near = self._near(points, distances)
        agreeing, most_votes, other = votes(asked.images.labels, images.labels[places])
        suggested = np.where(most_votes >= self.share * self.count, other, "")
        alike = first_alike(asked.images.pixels, images.pixels, asked.own)
        names = {"neighbour_image": images.ids[places], "neighbour_label": images.labels[places]}
        columns = {
            "image": asked.images.ids,
            "index": np.where(asked.own >= 0, images.index[asked.own], -1),
            "label": asked.images.labels,
            "neighbour": images.index[places],
            **(names if asked.outside else {}),
            "distance": distances,
            "duplicate_of": np.where(near[:, 0], images.index[places[:, 0]], -1),
            "alike": near.sum(axis=1),
            "same_pixels_as": np.where(alike >= 0, images.index[alike], -1),
            "agreeing": agreeing,
            "suspect": (suggested != "") & (asked.images.labels != ""),
            "suggested": suggested,
            "votes": most_votes,
        }
        return columns, (*self._notes(columns, int((points.lengths == 0).sum())), *how)

    def _neighbours(
        self, space: Space, points: Space, own: Numbers, progress: Progress
    ) -> tuple[Numbers, Numbers, Sequence[str]]:
        if self.search == "exact" or (self.search == "auto" and len(space) <= EXACT_UP_TO):
            return *exact_neighbours(space, self.count, points, own, progress), ()
        places, distances, note = approximate_neighbours(space, self.count, points, own, progress, folder=self.folder)
        return places, distances, (note,)

    def limits(self, lengths: Numbers) -> Numbers:
        """(m,): the distance of duplicates at most; rows without a direction have none by the cosine."""
        limit = ROUNDING[self.metric] if self.duplicate is None else self.duplicate
        return np.where(lengths == 0, -1.0, limit) if self.metric == COSINE else limit * lengths

    def _near(self, points: Space, distances: Numbers) -> Numbers:
        return np.asarray(distances <= self.limits(points.lengths)[:, None])

    def _notes(self, columns: Mapping[str, Numbers], zeros: int) -> tuple[str, ...]:
        near, same = int((columns["duplicate_of"] >= 0).sum()), int((columns["same_pixels_as"] >= 0).sum())
        bound = f"within {self.duplicate:g}" if self.duplicate is not None else "within rounding"
        told = near or same or not columns.get("neighbour_image", np.zeros(0)).size
        found = f"{_has(near)} a neighbour {bound}; {same or 'none'} the pixels of another"
        unlabelled, suspects = int((columns["label"] == "").sum()), int(columns["suspect"].sum())
        are = "1 label is" if suspects == 1 else f"{suspects or 'no'} labels are"
        judged = f"{are} suspect: {self.share:g} of the neighbours share another"
        return (
            *([found] if told else []),
            *([judged] if unlabelled < len(columns["label"]) else []),
            *(
                [f"{_has(unlabelled)} no label, so none of theirs is judged"]
                if 0 < unlabelled < len(columns["label"])
                else []
            ),
            *(
                [f"{_has(zeros)} features of zeros only: cosine distance 1 to all others, and no duplicates"]
                if zeros and self.metric == COSINE
                else []
            ),
        )


def _has(images: int) -> str:
    """The images that have something.

    >>> _has(0), _has(1), _has(2)
    ('no image has', '1 image has', '2 images have')
    """
    return f"{counted(images, 'image') or 'no image'} {'has' if images < 2 else 'have'}"
