"""Embedding: the images of a data set as points, near where a layer gives near features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.data import Source, State, Statistic
from crosslens.data.features import AUTO, CHOICES, Features, features_of
from crosslens.data.image_marks import ImageLabels, Thumbnails
from crosslens.errors import ModelError
from crosslens.execution.progress import Progress
from crosslens.introspection.default_layer import default_layer
from crosslens.layouts import LAYOUTS, lay_out, neighbourhood_hit, trustworthiness
from crosslens.method import DatasetMethod, param
from crosslens.model import Model
from crosslens.plugins import hookimpl
from crosslens.sheets.embedding import DRAWINGS, Embedding

__all__ = ["EmbeddingMethod"]

States = Mapping[Statistic, State]


@dataclass(frozen=True, kw_only=True)
class EmbeddingMethod(DatasetMethod):
    """Images as points, laid out by their features.

    The features of a layer for every image, laid out in two or three dimensions by PCA, t-SNE (van der Maaten and
    Hinton, 2008) or UMAP. Every image that can be read has a point. Beside it how far neighbours can be trusted, and
    how often they share a label.
    """

    name = "embedding"
    example: ClassVar[Mapping[str, Any]] = {"layout": "pca"}
    layer: str | None = param(None, 'layer, or "<input>" for the pixels; the last maps before the output if not given')
    pooling: str = param(AUTO, "over positions; auto: flatten for <input>, else mean", choices=CHOICES)
    layout: str = param("tsne", "how rows become points", choices=tuple(LAYOUTS))
    dimensions: int = param(2, "of the points, 2 or 3", minimum=2, maximum=3)
    seed: int = param(0, "of what is random", minimum=0)
    draw: str = param("dots", "how it is drawn: dots, pictures at their places or on a grid", choices=DRAWINGS)
    thumbnail: int = param(28, "pixels of a thumbnail's side; 0 for none", minimum=0)

    def network_defaults(self, model: Model) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": default_layer(model)}

    def _features(self, model: Model) -> Features:
        return features_of(model, str(self.layer), self.pooling)

    def _thumbnails(self, model: Model) -> Thumbnails | None:
        return Thumbnails(self.thumbnail, *(model.input.bounds or (0.0, 1.0))) if self._has_pictures(model) else None

    def _has_pictures(self, model: Model) -> bool:
        return self.thumbnail > 0 and not model.input.is_volume

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
        layout = lay_out(rows, self.layout, self.dimensions, seed=self.seed)
        quality, notes = self._quality(rows, layout.points, labels)
        axes = {name: layout.points[:, n] for n, name in enumerate("xyz"[: self.dimensions])}
        thumbnails = self._thumbnails(model)
        return Embedding(
            {"index": np.arange(len(source)), "id": np.asarray(list(source.ids), np.str_), "label": labels, **axes},
            layout=layout,
            thumbnails=gathered[thumbnails]["rows"] if thumbnails else None,
            draw=self.draw,
            quality=quality,
            notes=(*layout.notes, *notes),
        )

    def _quality(self, rows: Any, points: Any, labels: Any) -> tuple[Mapping[str, float], list[str]]:
        """By name, and a note for each."""
        quality, notes = {}, []
        if (trust := trustworthiness(rows, points)) is not None:
            quality["trustworthiness"] = float(trust)
            notes.append(f"trustworthiness {float(trust):.3f} of 1, judged at {trust.judged} of {trust.points} points")
        if (hit := neighbourhood_hit(points, [label or None for label in labels.tolist()])) is not None:
            quality["neighbourhood_hit"] = float(hit)
            notes.append(f"neighbourhood hit {hit:.3f} of 1: the share of a point's 6 nearest that have its label")
        return quality, notes


@hookimpl
def crosslens_methods() -> Sequence[type[DatasetMethod]]:
    """The method of this module."""
    return [EmbeddingMethod]
