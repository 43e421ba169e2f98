"""Embedding: the images of a data set as points, near where a layer gives near features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from inspect import signature
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.features import AUTO, CHOICES, Features, features_of
from crosslens.data.image_marks import ImageLabels, Thumbnails
from crosslens.embedding.embedding import DRAWINGS, Embedding
from crosslens.embedding.joining import joined, joined_features, old_embedding
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.layouts import LAYOUTS, Layout, lay_out, neighbourhood_hit, trustworthiness
from crosslens.layouts.umap import check_umap
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl

__all__ = ["EmbeddingMethod"]

States = Mapping[Statistic, State]
METRICS = ("euclidean", "cosine")
SETTINGS = ("perplexity", "metric", "neighbours")
"""Parameters that some layouts have."""


@dataclass(frozen=True, kw_only=True)
class EmbeddingMethod(DatasetMethod):
    """Images as points, laid out by their features.

    The features of a layer for every image, laid out in two or three dimensions by PCA, t-SNE (van der Maaten and
    Hinton, 2008) or UMAP. Every image that can be read has a point. Beside it how far neighbours can be trusted, and
    how often they share a label. With `onto` the images join the layout of an earlier embedding, whose points stay.
    """

    name = "embedding"
    example: ClassVar[Mapping[str, Any]] = {"layout": "pca"}
    layer: str | None = param(None, 'layer, or "<input>" for the pixels; the last maps before the output if not given')
    pooling: str = param(AUTO, "over positions; auto: flatten for <input>, else mean", choices=CHOICES)
    layout: str | None = param(None, "how rows become points; tsne if not given", choices=tuple(LAYOUTS))
    dimensions: int | None = param(None, "of the points, 2 or 3; 2 if not given", minimum=2, maximum=3)
    perplexity: float | None = param(None, "neighbours that count in t-SNE, about; 30 if not given", minimum=1)
    neighbours: int | None = param(None, "of each point in UMAP; 15 if not given", minimum=2)
    metric: str | None = param(None, "distances in t-SNE and UMAP; euclidean if not given", choices=METRICS)
    seed: int = param(0, "of what is random", minimum=0)
    onto: Any = param(None, "earlier embedding whose layout the images join: FILE.npz, or a result")
    draw: str = param("dots", "how it is drawn: dots, pictures at their places or on a grid", choices=DRAWINGS)
    thumbnail: int = param(28, "pixels of a thumbnail's side; 0 for none", minimum=0)

    def check_parameters(self) -> None:
        """Settings must be ones that the layout has; points that join an old layout take it as it is."""
        super().check_parameters()
        if self.draw != "dots" and not self.thumbnail:
            raise ParameterError(f"draw is {self.draw!r}, and thumbnail is 0: give its side in pixels, or draw dots")
        if self.draw != "dots" and self.dimensions == 3:
            raise ParameterError(f"draw is {self.draw!r}, which is done in a plane; draw dots, or leave dimensions=3")
        if self.onto is not None:
            self._check_joins(old_embedding(self.onto))
            return
        name = self.layout or "tsne"
        if name == "umap":
            check_umap()
        known = [each for each in SETTINGS if each in signature(LAYOUTS[name]).parameters]
        for each in SETTINGS:
            if getattr(self, each) is not None and each not in known:
                has = f"it has {' and '.join(known)}" if known else "leave it out"
                raise ParameterError(f"{each} is no setting of the layout {name}: {has}")

    def _check_joins(self, old: Embedding) -> None:
        was = {"layout": old.layout.name, "dimensions": old.points.shape[1]}
        for each, value in was.items():
            if getattr(self, each) not in {None, value}:
                raise ParameterError(
                    f"{each} is {getattr(self, each)!r}, and the old points' is {value!r}: leave it out"
                )
        if given := [each for each in (*SETTINGS, "seed") if getattr(self, each)]:
            raise ParameterError(f"{' and '.join(given)}: of a new layout only; images join the old one as it is")
        if self.draw != "dots" and (old.thumbnails is None or old.thumbnails.shape[1] != self.thumbnail):
            has = "no thumbnails" if old.thumbnails is None else f"thumbnails of {old.thumbnails.shape[1]} pixels"
            raise ParameterError(f"draw is {self.draw!r}, and the old points have {has}: set thumbnail=, or draw dots")

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        """The layer; with `onto` that and the pooling of the old points."""
        if self.onto is not None:
            return joined_features(model, old_embedding(self.onto), self.layer, self.pooling)
        return {} if self.layer else {"layer": default_layer(model)}

    def _features(self, model: Model) -> Features:
        return features_of(model, str(self.layer), self.pooling)

    def _thumbnails(self, model: Model) -> Thumbnails | None:
        shown = self.thumbnail > 0 and not model.input.is_volume
        return Thumbnails(self.thumbnail, *(model.input.bounds or (0.0, 1.0))) if shown else None

    def statistics(self, model: Model, source: Source, gathered: States | None = None) -> Sequence[Statistic]:
        thumbnails = self._thumbnails(model)
        return [self._features(model), ImageLabels(), *([thumbnails] if thumbnails else [])]

    def finish(self, model: Model, source: Source, gathered: States, progress: Progress) -> Embedding:
        rows, known = gathered[self._features(model)]["rows"], gathered[ImageLabels()]
        if not all(np.isfinite(rows[index]).all() for index in known["index"]):
            raise ModelError(
                f"the features of layer {self.layer!r} are NaN or infinite for some of the images; look at the "
                "network's weights, and at the preprocessing (preprocess=)"
            )
        labels = np.full(len(source), "", known["label"].dtype)
        labels[known["index"]] = known["label"]
        old = None if self.onto is None else old_embedding(self.onto)
        layout, quality, notes = self._laid_out(rows, labels) if old is None else joined(old, model, rows, labels)
        axes = {name: layout.points[:, n] for n, name in enumerate("xyz"[: layout.points.shape[1]])}
        thumbnails = self._thumbnails(model)
        return Embedding(
            {"index": np.arange(len(source)), "id": np.asarray(list(source.ids), np.str_), "label": labels, **axes},
            layout=layout,
            thumbnails=gathered[thumbnails]["rows"] if thumbnails else None,
            draw=self.draw,
            quality=quality,
            onto=old,
            notes=tuple(notes),
        )

    def _laid_out(self, rows: Any, labels: Any) -> tuple[Layout, Mapping[str, float], Sequence[str]]:
        settings = {each: getattr(self, each) for each in SETTINGS if getattr(self, each) is not None}
        layout = lay_out(rows, self.layout or "tsne", self.dimensions or 2, seed=self.seed, **settings)
        quality, notes = {}, list(layout.notes)
        if (trust := trustworthiness(rows, layout.points, metric=self.metric or "euclidean")) is not None:
            quality["trustworthiness"] = float(trust)
            notes.append(f"trustworthiness {float(trust):.3f} of 1, judged at {trust.judged} of {trust.points} points")
        if (hit := neighbourhood_hit(layout.points, [label or None for label in labels.tolist()])) is not None:
            quality["neighbourhood_hit"] = float(hit)
            near = min(6, int(sum(labels[np.isfinite(layout.points[:, 0])] != "")) - 1)
            notes.append(f"neighbourhood hit {hit:.3f} of 1: the share of a point's {near} nearest that have its label")
        return layout, quality, notes


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [EmbeddingMethod]
