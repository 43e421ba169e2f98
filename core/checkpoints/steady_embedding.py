"""`crosslens.steady_embedding`: one data set in several checkpoints of a network, each layout steady to the last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..data.features import AUTO, Features, features_of
from ..data.keeper import Gathered
from ..data.source import Source
from ..data.sources import adapters
from ..data.statistic import State, Statistic
from ..data.sweep import sweep
from ..errors import ComparisonError, ModelError, ParameterError, unknown_name
from ..execution.progress import Progress, part_of, shows_progress, silent
from ..execution.workers import Workers
from ..introspection.default_layer import default_layer
from ..layouts import Layout, neighbourhood_hit, steady, trustworthiness, unchanged
from ..layouts.layout import usable
from ..method.dataset import failure_notes, source_record
from ..method.provenance import provenance
from ..model.base import Model
from ..model.repeatability import refuse_where_alone_fails
from ..plugins.models import ModelsLike, named_models
from ..store.image_page import ImagePage, image_page
from .steady_points import SteadyPoints

__all__ = ["steady_embedding"]


@shows_progress
def steady_embedding(
    models: ModelsLike,
    data: Any,
    *,
    layer: str | None = None,
    pooling: str = AUTO,
    layout: str = "tsne",
    dimensions: int = 2,
    workers: Workers | None = None,
    progress: Progress = silent,
    **options: Any,
) -> SteadyPoints:
    """Lay out a data set in each of several checkpoints of a network, so that points can be followed.

    Points whose rows did not change stay in their places; see `crosslens.layouts.steady`. Two checkpoints are a network
    before and after training. Frameworks may differ, too.

    Args:
        models: the checkpoints in their order: what `crosslens.wrap` gave or takes, in a list or by name.
        data: a `crosslens.Source`, or what `crosslens.data` makes one of; classes give the points their colours.
        layer: whose activations are laid out; the last maps before the output if not given.
        pooling: of its positions: "mean", "max", "centre", or "flatten" for all values; "auto" flattens "<input>" and
            averages layers.
        layout: "tsne" or "pca".
        dimensions: 2 or 3.
        workers: who computes the features, `crosslens.execution.workers.Workers`; this process if not given.
        progress: called with (images done, all of them, which checkpoint).
        options: of `steady`: perplexity=30, seed=0, pull=0.3.

    Returns:
        A `SteadyPoints`: `.save("x.gif")`, `.save("x.png")`, `.points`, `.moves`, `.to_dataframe()`.

    Raises:
        ComparisonError: fewer than two checkpoints.
        CrosslensError: what is wrong with a model, the data, a layer or an option.
    """
    _check_options(layout, options)
    if dimensions not in {2, 3}:
        raise ParameterError(f"dimensions is {dimensions!r}; give 2 or 3, which can be drawn")
    start, named, source = perf_counter(), named_models(models), adapters.data(data).images_only()
    if len(named) < 2:
        raise ComparisonError(f"following points takes two checkpoints or more; there is {len(named)}")
    asked = [_Asked.of(model, source, layer, pooling, workers or Workers()) for model in named.values()]
    parts = len(asked) + 1
    passes = [
        _Pass(each.features, each.gather(source, part_of(progress, n, parts, "checkpoint")))
        for n, each in enumerate(asked)
    ]
    progress(len(asked), parts, f"laying out {parts - 1} checkpoints")
    rows = [each.finite_rows(name) for name, each in zip(named, passes, strict=True)]
    layouts = steady(rows, layout, dimensions, **options)
    labels, notes = passes[-1].labels(list(named.values())[-1], list(named)[-1])
    quality = _quality(dict(zip(named, zip(rows, layouts, strict=True), strict=True)), labels)
    known = np.logical_and.reduce([usable(each) for each in rows])
    kept = np.full((len(rows) - 1, len(known)), np.nan)
    kept[:, known] = [unchanged(one[known], other[known]) for one, other in pairwise(rows)]
    last = passes[-1].gathered
    own = _layout_notes(dict(zip(named, layouts, strict=True)))
    return SteadyPoints(
        layouts=layouts,
        names=tuple(named),
        ids=tuple(source.ids),
        labels=labels,
        kept=kept,
        quality=quality,
        method="steady_embedding",
        parameters={"layer": layer, "pooling": pooling, "layout": layout, "dimensions": dimensions, **options},
        provenance={
            **provenance(asked[-1].model, None, perf_counter() - start),
            "models": {name: {"backend": each.backend, "model": each.last_digest} for name, each in named.items()},
            "layers": [each.features.layer for each in passes],
            "source": source_record(source, last),
        },
        notes=(*notes, *own, *source.notes, *failure_notes(source, last)),
    )


def _layout_notes(layouts: Mapping[str, Layout]) -> Sequence[str]:
    """What the layouts say, and where one is so much wider than another that this is drawn as a dot."""
    own = tuple(dict.fromkeys(note for each in layouts.values() for note in each.notes))
    known = {name: each.points[usable(each.points)] for name, each in layouts.items()}
    wide = {name: float(np.ptp(points, axis=0).max()) if len(points) else 0.0 for name, points in known.items()}
    least, most = min(wide, key=wide.__getitem__), max(wide, key=wide.__getitem__)
    if wide[most] <= WIDER * wide[least] or wide[least] == 0:
        return own
    times = f"{wide[most] / wide[least]:,.0f} times as wide as those of {least}"
    return (*own, f"the points of {most} lie {times}, which look like one point: layout tsne shows both")


WIDER = 20
"""How many times as wide as another a layout may be before a note says so."""
OPTIONS = {"tsne": ("perplexity", "seed", "pull"), "pca": ("seed",)}
"""What each layout can be told."""


def _check_options(layout: str, options: Mapping[str, Any]) -> None:
    """Refuse a layout or an option that there is not, before the work.

    Raises:
        ParameterError: with those that there are.
    """
    if layout not in OPTIONS:
        raise ParameterError(unknown_name("steady layout", layout, OPTIONS))
    for option in options:
        if option not in OPTIONS[layout]:
            raise ParameterError(unknown_name("option", option, OPTIONS[layout], of=layout))


@dataclass(frozen=True)
class _Asked:
    """What is gathered of one checkpoint: the features, and what each image is."""

    model: Model
    features: Features
    page: ImagePage
    workers: Workers

    @classmethod
    def of(cls, model: Model, source: Source, layer: str | None, pooling: str, workers: Workers) -> "_Asked":
        source.check(model)
        refuse_where_alone_fails(model)
        features = features_of(model, layer or default_layer(model), pooling)
        return cls(model, features, image_page(model, thumbnails=False), workers)

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        return [] if gathered else [self.features, self.page]

    def gather(self, source: Source, progress: Progress) -> Gathered:
        executor, threads = self.workers.executor(), self.workers.threads
        return sweep(self.model, source, [self], progress, executor=executor, threads=threads)


class _Pass(NamedTuple):
    features: Features
    gathered: Gathered

    def finite_rows(self, name: str) -> np.ndarray[Any, Any]:
        """(images, width); NaN where an image could not be read.

        Raises:
            ModelError: NaN where one could be read.
        """
        rows = np.asarray(self.gathered.states[self.features]["rows"])
        if not np.isfinite(rows[self._page["index"]]).all():
            raise ModelError(
                f"{name}: the features of layer {self.features.layer!r} are NaN or infinite for some of the images; "
                "look at the network's weights, and at the preprocessing (preprocess=)"
            )
        return rows

    @property
    def _page(self) -> Mapping[str, Any]:
        return next(state for each, state in self.gathered.states.items() if isinstance(each, ImagePage))

    def labels(self, model: Model, name: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The class of each image, as the data have it, else as this checkpoint predicts it; and a note on that."""
        page = self._page
        labels = np.full(len(self.gathered.states[self.features]["rows"]), "", "U200")
        if any(page["label"]):
            labels[page["index"]] = page["label"]
            return tuple(labels.tolist()), ()
        known = page["class"] >= 0
        if not known.any():
            return tuple(labels.tolist()), (
                "the data have no classes, and the network predicts none: one colour for all",
            )
        names = model.output.names(model.labels)
        labels[page["index"][known]] = [str(names[each]) if names else str(each) for each in page["class"][known]]
        return tuple(labels.tolist()), (f"the data have no classes: colours are those that {name} predicts",)


def _quality(
    of: Mapping[str, tuple[np.ndarray[Any, Any], Layout]], labels: Sequence[str]
) -> Mapping[str, Mapping[str, Any]]:
    quality: dict[str, Mapping[str, Any]] = {}
    for name, (rows, layout) in of.items():
        trust = trustworthiness(rows, layout.points)
        quality[name] = {
            "trustworthiness": None if trust is None else trust.value,
            "judged": 0 if trust is None else trust.judged,
            "neighbourhood_hit": neighbourhood_hit(layout.points, [label or None for label in labels]),
        }
    return quality
