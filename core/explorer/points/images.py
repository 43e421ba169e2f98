"""`leaves` and `images_line`: "images/K" of data.ts, what is known of each image of a survey."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ...arrays import array_digest, as_numpy
from ...result.table import Table
from ..book import Book
from ..data_folder import stamp_of
from ..leaf import Leaf

__all__ = ["CHUNK", "images_line", "leaves"]

CHUNK = 5_000
"""Images in a file."""


def images_line(book: Book) -> Mapping[str, Any] | None:
    """The `images` of `Site`: how many, how many in a file, and the labels that they have; None without a survey."""
    if not book.survey:
        return None
    images = book.survey.images
    return {"count": len(images), "chunk": CHUNK, "labels": _labels(images)}


def leaves(book: Book) -> list[Leaf]:
    """A leaf for each `CHUNK` images."""
    if not book.survey:
        return []
    images = book.survey.images
    places = {label: place for place, label in enumerate(_labels(images))}
    return [
        Leaf(f"images/{n}", _stamp(images, start, places), partial(_chunk, images, start, places), "table of images")
        for n, start in enumerate(range(0, len(images), CHUNK))
    ]


def _labels(images: Table) -> list[str]:
    """Without "", which stands for none; numbers in their order, so that 10 comes after 9."""
    given = {str(label) for label in as_numpy(images["label"]).tolist()} - {""}
    return sorted(given, key=lambda label: (0, int(label), label) if label.isdecimal() else (1, 0, label))


def _columns(images: Table, start: int) -> Mapping[str, np.ndarray[Any, Any]]:
    return {
        name: as_numpy(images[name])[start : start + CHUNK] for name in ("id", "label", "class", "score", "failure")
    }


def _stamp(images: Table, start: int, places: Mapping[str, int]) -> str:
    columns = _columns(images, start)
    values = [each.tolist() if each.dtype.kind == "U" else array_digest(each) for each in columns.values()]
    return stamp_of("images", start, list(places), values)


def _chunk(images: Table, start: int, places: Mapping[str, int]) -> Mapping[str, Any]:
    """The `ImageChunk` of data.ts."""
    columns = _columns(images, start)
    reasons: Sequence[str] = columns["failure"].tolist()
    return {
        "start": start,
        "ids": columns["id"].tolist(),
        "label": [places.get(label, -1) for label in columns["label"].tolist()],
        "predicted": columns["class"].tolist(),
        "score": [float(f"{score:.4g}") for score in columns["score"].tolist()],
        "failure": {str(start + place): reason for place, reason in enumerate(reasons) if reason},
    }
