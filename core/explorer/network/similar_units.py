"""The nearest units of the same layer: by their answers over the data where these are kept, else by their kernels."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...embedding.embedding import Embedding
from ..book import Book
from .filters import unit_kernels
from .structure import unit_count

__all__ = ["similar_units"]

Numbers = np.ndarray[Any, Any]

MOST = 8
FEWEST_IMAGES = 20
"""From which on correlations say something."""


def similar_units(book: Book, layer: str) -> tuple[str, Sequence[Sequence[Mapping[str, Any]]]]:
    """What likeness is measured by, "" where nothing tells, and for each unit the nearest ones, as `Near` of data.ts.

    Likeness is the correlation of two units' mean answers to the images, or the cosine of their kernels, -1 to 1.
    """
    answers = _answers(book, layer)
    if answers is not None:
        return "answers over the data", _nearest((answers - answers.mean(axis=0)).T)
    known = unit_kernels(book.model, layer)
    if known is not None and len(known[1]) == unit_count(book.model.layer(layer)):
        return "kernels", _nearest(known[1].reshape(len(known[1]), -1))
    return "", [[] for _ in range(unit_count(book.model.layer(layer)))]


def _answers(book: Book, layer: str) -> Numbers | None:
    """(images, units): the rows of an embedding of this layer; None where none are kept."""
    for result in book.results("embedding").values():
        layers = tuple(result.provenance.get("layers", ()))
        rows = result.layout.state.get("rows") if isinstance(result, Embedding) and layers == (layer,) else None
        if rows is not None and rows.shape[1] == unit_count(book.model.layer(layer)) and len(rows) >= FEWEST_IMAGES:
            return as_numpy(rows).astype(np.float32)
    return None


def _nearest(rows: Numbers) -> list[list[Mapping[str, Any]]]:
    """By the cosine of rows, (units, columns); rows of zeros are like none."""
    rows = rows.astype(np.float32, copy=False)
    norms = np.linalg.norm(rows, axis=1)
    unit = rows / np.where(norms > 0, norms, 1)[:, None]
    found: list[list[Mapping[str, Any]]] = []
    for start in range(0, len(rows), 1024):
        cosines = unit[start : start + 1024] @ unit.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -np.inf
        cosines[:, norms == 0] = -np.inf
        most = min(MOST, len(rows) - 1)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :most]
        for unit_number, (places, values) in enumerate(zip(order, cosines, strict=True), start):
            kept = [k for k in places if np.isfinite(values[k])] if norms[unit_number] > 0 else []
            found.append([{"unit": int(k), "likeness": round(float(values[k].clip(-1, 1)), 4)} for k in kept])
    return found
