"""Which images get a page of their own: those that can be read, evenly over the predicted classes."""

from collections.abc import Mapping

import numpy as np

from ...arrays import as_numpy
from ..book import Book

__all__ = ["chosen_pictures"]


def chosen_pictures(book: Book) -> tuple[int, ...]:
    """Indices of images, ascending; none where the images cannot be read again.

    A larger number keeps the images of a smaller one: each class gives its surest image first, then its next.
    """
    if book.source is None:
        return ()
    table: Mapping[str, np.ndarray] = {name: as_numpy(values) for name, values in book.survey.images.columns.items()}  # type: ignore[type-arg]
    known = np.flatnonzero(table["failure"] == "")
    count = len(known) if book.shown.pictures is None else min(book.shown.pictures, len(known))
    classes, scores = table["class"][known], np.nan_to_num(table["score"][known], nan=-np.inf)
    order = np.lexsort((known, -scores, classes))
    first_of_class = np.r_[True, classes[order][1:] != classes[order][:-1]]
    starts = np.maximum.accumulate(np.where(first_of_class, np.arange(len(order)), 0))
    turn = np.arange(len(order)) - starts
    chosen = order[np.lexsort((classes[order], turn))][:count]
    return tuple(sorted(known[chosen].tolist()))
