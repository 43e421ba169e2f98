"""`Plane`: one layout of a survey's images, and where its rows, the features it was made of, are found."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from ...arrays import as_numpy
from ...checkpoints.steady_points import SteadyPoints
from ...data.features import Features, features_of
from ...embedding.embedding import Embedding
from ...errors import LayerError, ParameterError
from ...layouts.layout import Layout, Numbers, usable
from ...layouts.tsne import unit_length
from ...model.layer import INPUT
from ...reading.array_file import map_npy
from ...store.row_files import RowFiles
from ..book import Book

__all__ = ["Plane", "from_checkpoints", "from_embeddings", "left_out"]


@dataclass(frozen=True, eq=False)
class Plane:
    """A point for each image of the survey, as it was laid out."""

    title: str
    """The layer, or the checkpoint."""
    layer: str | None
    """None where the network of the site has no such layer."""
    layout: Layout
    points: Numbers
    """(N, 2), float32; NaN where the image has none."""
    rows: Numbers | None = None
    """(N, columns): what was laid out, perhaps mapped into memory; None where nobody kept it."""
    units: bool = False
    """Whether the columns of `rows` are the activations of the layer's units."""
    steady: bool = False
    """Whether the points are those of several checkpoints laid out together."""
    quality: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def from_embeddings(book: Book) -> list[Plane]:
    """Those of all embeddings of the survey in two dimensions, in the network's order of layers."""
    flat = {label: each for label, each in _embeddings(book).items() if each.points.shape[1] == 2}
    layers = {label: str(next(iter(each.provenance["layers"]), "")) for label, each in flat.items()}
    planes = []
    for label, each in flat.items():
        title = layers[label] if list(layers.values()).count(layers[label]) == 1 else f"{layers[label]} ({label})"
        rows, units = _rows(book, each, layers[label])
        planes.append(
            Plane(
                title=title,
                layer=layers[label] if layers[label] in book.ids else None,
                layout=each.layout,
                points=np.asarray(each.points, np.float32),
                rows=rows,
                units=units,
                quality=dict(each.quality),
                notes=tuple(each.notes),
            )
        )
    return sorted(planes, key=lambda plane: book.ids.get(plane.layer or "", len(book.ids)))


def left_out(book: Book) -> list[str]:
    """A line on each embedding that a plane does not show."""
    return [
        f"{label} has points in {each.points.shape[1]} dimensions and is not shown here, where they lie in a plane"
        for label, each in _embeddings(book).items()
        if each.points.shape[1] != 2
    ]


def _embeddings(book: Book) -> dict[str, Embedding]:
    return {label: cast(Embedding, result) for label, result in book.results("embedding").items()}


def _rows(book: Book, result: Embedding, layer: str) -> tuple[Numbers | None, bool]:
    """The rows of an embedding and whether they are of units: from the survey's folder, else from the layout."""
    try:
        features = features_of(book.model, layer, str(result.parameters.get("pooling", "auto")))
    except (LayerError, ParameterError):
        return None, False
    units = layer != INPUT and (features.pooling != "flatten" or features.positions == 1)
    stored = _stored(book, features, len(result))
    cosine = result.layout.parameters.get("metric") == "cosine"
    if stored is not None:
        return (unit_length(stored), False) if cosine else (stored, units)
    if result.onto is not None:  # its layout keeps the rows of the old points
        return None, False
    rows = kept_rows(result.layout)
    return rows, units and not cosine and rows is not None and rows.shape[1] == features.width


def _stored(book: Book, features: Features, count: int) -> Numbers | None:
    if book.survey.folder is None:
        return None
    path = RowFiles(book.survey.folder / "rows", count).path(features)
    try:
        rows = map_npy(path)
    except (OSError, ValueError):
        return None
    return rows if rows.shape == (count, features.width) else None


def kept_rows(layout: Layout) -> Numbers | None:
    """The rows that a layout of neighbours keeps, at their places, NaN elsewhere; perhaps principal components."""
    if "rows" not in layout.state:
        return None
    rows, known = as_numpy(layout.state["rows"]), usable(layout.points)
    if len(rows) != known.sum():
        return None
    every = np.full((len(known), rows.shape[1]), np.nan, np.float32)
    every[known] = rows
    return every


def from_checkpoints(book: Book, result: SteadyPoints) -> list[Plane]:
    """The planes of checkpoints that were laid out together, for the survey's images of the same ids.

    Raises:
        ParameterError: none of the survey's images is among them, or the points are not in a plane.
    """
    if result.points.shape[2] != 2:
        raise ParameterError(
            f"the checkpoints' points lie in {result.points.shape[2]} dimensions: make them with --dimensions 2"
        )
    places = _places(result.ids, [str(each) for each in as_numpy(book.survey.images["id"])])
    layers = [str(each) for each in result.provenance.get("layers", ())] or [""] * len(result)
    planes = []
    for name, layer, layout in zip(result.names, layers, result.layouts, strict=True):
        figures = {key: float(value) for key, value in result.quality.get(name, {}).items() if key in _FIGURES}
        kept = kept_rows(layout)
        rows = None if kept is None else _at(kept, places)
        units = rows is not None and "components" not in layout.state and _has_units(book, layer, rows.shape[1])
        points = _at(layout.points, places)
        known = layer if layer in book.ids else None
        planes.append(Plane(name, known, layout, points, rows, units, True, figures, tuple(layout.notes)))
    return planes


_FIGURES = ("trustworthiness", "neighbourhood_hit")


def _has_units(book: Book, layer: str, width: int) -> bool:
    try:
        return layer != INPUT and features_of(book.model, layer, "mean").width == width
    except (LayerError, ParameterError):
        return False


def _places(ids: Sequence[str], wanted: Sequence[str]) -> np.ndarray[Any, Any]:
    """For each wanted id its place among ids, -1 for none; equal lists pair by place, so ids may repeat there."""
    if list(ids) == list(wanted):
        return np.arange(len(wanted))
    known = {name: place for place, name in enumerate(ids)}
    places = np.array([known.get(name, -1) for name in wanted], int)
    if (places < 0).all():
        raise ParameterError(
            f"none of the survey's {len(wanted)} images is among those of the checkpoints ({ids[0]!r}, ...): "
            "lay out the data of the survey"
        )
    return places


def _at(values: Numbers, places: np.ndarray[Any, Any]) -> Numbers:
    return np.where(places[:, None] < 0, np.nan, values[places]).astype(np.float32)
