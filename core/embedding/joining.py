"""New images in an old layout: which embedding it is, and whether the network and the settings go with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..data.features import AUTO, features_of
from ..errors import LayerError, ParameterError
from ..introspection.default_layer import default_layer
from ..layouts.layout import Layout, usable
from ..method.provenance import json_value, preprocess_record
from ..model.base import INPUT, Model
from ..plugins.saved_result import load
from ..result.display import counted
from .embedding import Embedding

__all__ = ["joined", "joined_features", "old_embedding"]

NEIGHBOURS = 6
"""Old points by which a new one's label is judged."""
_COMMAND = "crosslens run embedding MODEL DATA -o old.npz"


def old_embedding(onto: Any) -> Embedding:
    """The embedding that images join: a result, or the `.npz` of one; of one that joined a layout that layout's own.

    Raises:
        ParameterError: it is no embedding, or no such file.
    """
    if isinstance(onto, str | Path):
        path = Path(onto)
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        onto = _read(path, stamp)
    if not isinstance(onto, Embedding):
        what = getattr(onto, "method", None) or type(onto).__name__
        raise ParameterError(f"onto is a result of {what}; give an embedding, or the .npz of one: {_COMMAND}")
    return onto.onto or onto


@lru_cache(maxsize=1)
def _read(path: Path, stamp: int) -> Any:
    if path.suffix != ".npz" and path.exists() and not path.is_dir():
        raise ParameterError(f"onto is '{path}'; only the .npz of an embedding can be joined: {_COMMAND}")
    return load(path)


def joined_features(model: Model, old: Embedding, layer: str | None, pooling: str) -> Mapping[str, str]:
    """The layer and the pooling of images that join, where they go with the old ones.

    Args:
        model: the network of the new images.
        old: what they join.
        layer: as it was asked for; None for the old one, in another network for its own default where that was one.
        pooling: as it was asked for.

    Raises:
        ParameterError: another layer of the same network, another pooling, or rows of another length.
        LayerError: the network has no layer of the old one's name.
    """
    (before,) = old.provenance["layers"]
    same = old.provenance["model"] == model.digest
    if layer is None:
        chosen = default_layer(model) if old.provenance["default_layer"] and not same else _layer(model, before)
    else:
        chosen = model.layer(layer).name
    if chosen != before and (same or INPUT in (chosen, before)):
        raise ParameterError(f"layer is {chosen!r}, and the old points are of {before!r}: leave it out")
    was = _resolved(old.parameters["pooling"], before)
    if pooling not in {AUTO, was}:
        raise ParameterError(f"pooling is {pooling!r}, and the old points were made with {was!r}: leave it out")
    width, columns = features_of(model, chosen, was).width, old.layout.parameters["columns"]
    if width != columns:
        raise ParameterError(
            f"layer {chosen!r} gives rows of {width} numbers, and the old points were made of {columns} in layer "
            f"{before!r}: new points need the same network and pictures of the same size"
        )
    return {"layer": chosen, "pooling": was}


def _layer(model: Model, name: str) -> str:
    try:
        return model.layer(name).name
    except LayerError as error:
        raise LayerError(f"the old points are of a layer that this network does not have: {error}") from error


def _resolved(pooling: str, layer: str) -> str:
    return pooling if pooling != AUTO else "flatten" if layer == INPUT else "mean"


def joined(old: Embedding, model: Model, rows: Any, labels: Any) -> tuple[Layout, Mapping[str, float], Sequence[str]]:
    """New rows in the layout of an old embedding, how often the old points near them have their label, and notes.

    Args:
        old: the embedding.
        model: the network that gave the rows.
        rows: (N, columns); NaN where an image could not be read.
        labels: (N,), text, "" for none.
    """
    layout = replace(old.layout, points=old.layout.place(rows))
    notes = [f"{counted(len(rows), 'new point')} in the layout of {counted(len(old), 'old one')}, which stay in place"]
    if old.provenance["model"] != model.last_digest:
        notes.append(
            "the old points are of another network, or of this one in another framework; only in the second case do "
            "places mean the same"
        )
    elif json_value(old.provenance["preprocess"]) != json_value(preprocess_record(model)):
        notes.append("the old points were made with another preprocessing; places do not mean the same")
    hit = _hit_among_old(old, layout.points, labels)
    if hit is None:
        return layout, {}, notes
    notes.append(f"neighbourhood hit {hit:.3f} of 1: the share of the {NEIGHBOURS} nearest old points with its label")
    return layout, {"neighbourhood_hit": hit}, notes


def _hit_among_old(old: Embedding, points: Any, labels: Any) -> float | None:
    """How often the nearest old points have a new point's label, 0 to 1; None where one side has no labels."""
    theirs, own = np.asarray(old.columns["label"]).astype(str), np.asarray(labels).astype(str)
    there, here = usable(old.points) & (theirs != ""), usable(points) & (own != "")
    if not there.any() or not here.any():
        return None
    from scipy.spatial import cKDTree

    count = min(NEIGHBOURS, int(there.sum()))
    _, nearest = cKDTree(old.points[there]).query(points[here], count)
    return float((theirs[there][nearest.reshape(-1, count)] == own[here][:, None]).mean())
