"""An order in which each vector is next to one that is like it."""

from typing import Any

import numpy as np

__all__ = ["by_similarity"]

Values = np.ndarray[Any, Any]


def by_similarity(vectors: Values) -> Values:
    """A nearest-neighbour chain: from the longest vector on, always the one of those left with the largest cosine.

    Of equal ones the first is taken; a vector of zeros is like none, and comes last.

    Args:
        vectors: (n, k).

    Returns:
        The order, (n,).
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    unit = vectors / np.where(lengths > 0, lengths, 1)[:, None]
    order = [int(lengths.argmax())]
    left = np.ones(len(vectors), bool)
    while True:
        left[order[-1]] = False
        if not left.any():
            return np.array(order)
        cosines = unit @ unit[order[-1]]
        cosines[lengths == 0] = -2
        order.append(int(np.where(left, cosines, -3).argmax()))
