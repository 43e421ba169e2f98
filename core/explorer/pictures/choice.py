"""Which images get a page of their own: the surest of each predicted class, more of classes with more images."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ..book import Book

__all__ = ["chosen_pictures"]


def chosen_pictures(book: Book) -> tuple[int, ...]:
    """Indices of images, the first ones first; none where the images cannot be read again.

    Of a class with n images the k-th surest, from 0, comes at (k + 1/2) / sqrt(n): one of many images has more pages
    than one of few, but not in proportion. A larger number of pages keeps those of a smaller one.
    """
    if book.source is None or not book.survey:
        return ()
    table: Mapping[str, np.ndarray[Any, Any]] = {
        name: as_numpy(book.survey.images[name]) for name in ("failure", "class", "score")
    }
    known = np.flatnonzero(table["failure"] == "")
    classes, scores = table["class"][known], np.nan_to_num(table["score"][known], nan=-np.inf)
    turn = np.zeros(len(known))
    for each in np.unique(classes):
        rows = np.flatnonzero(classes == each)
        order = rows[np.argsort(-scores[rows], kind="stable")]
        turn[order] = (np.arange(len(order)) + 0.5) / np.sqrt(len(order))
    chosen = known[np.lexsort((known, turn))]
    return tuple(chosen[: book.shown.pictures].tolist())
