"""`NearestSoFar`: the nearest points that were found of each asked one, while a search goes on."""

from typing import Any

import numpy as np

__all__ = ["NearestSoFar"]

Numbers = np.ndarray[Any, Any]


class NearestSoFar:
    """Of each of n asked points the `count` nearest ones, by distance, equal ones by the lower place."""

    def __init__(self, n: int, count: int) -> None:
        self.count = count
        self.places = np.full((n, count), np.iinfo(np.int64).max)
        self.squared = np.full((n, count), np.inf)

    def add(self, asked: Numbers, places: Numbers, squared: Numbers) -> None:
        """More pairs: which asked point, which place, the squared distance; no pair that was added before."""
        if not len(asked):
            return
        touched, row = np.unique(asked, return_inverse=True)
        rows = np.concatenate([np.repeat(np.arange(len(touched)), self.count), row])
        all_places = np.concatenate([self.places[touched].ravel(), places])
        all_squared = np.concatenate([self.squared[touched].ravel(), squared])
        order = np.lexsort((all_places, all_squared, rows))
        counts = np.bincount(rows)
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        best = order[rank < self.count]
        self.places[touched] = all_places[best].reshape(-1, self.count)
        self.squared[touched] = all_squared[best].reshape(-1, self.count)
