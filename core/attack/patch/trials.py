"""`Trials`: what a network says of pictures with a patch at many places in each, and how often that is the wanted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np

from ...arrays import Array, as_numpy
from ..cluster_interval import cluster_interval

__all__ = ["Rate", "Trials"]

Numbers = np.ndarray[Any, Any]
THIRDS = (("top", "middle", "bottom"), ("left", "centre", "right"))


@dataclass(frozen=True)
class Rate:
    """How often a patch gives the class wanted, with a 95 % interval over pictures (`cluster_interval`)."""

    pictures: int
    trials: int
    success: float
    low: float
    high: float
    confidence: float
    """The mean probability of the class wanted."""


@dataclass(frozen=True, eq=False)
class Trials:
    """K placements in each of n pictures."""

    success: Numbers
    """(n, K), booleans: whether the prediction is the class wanted."""
    classes: Numbers
    """(n, K): the predicted class."""
    confidence: Numbers
    """(n, K): the probability of the class wanted."""
    placement: Numbers
    """(n, K, 4): the middle's row and column as shares of height and width, degrees, and scale, 1 at `area`."""

    @classmethod
    def of(cls, saved: Mapping[str, Array]) -> Self:
        """The trials that a result holds as arrays by name."""
        return cls(**{name: as_numpy(values) for name, values in saved.items()})

    def arrays(self) -> Mapping[str, Numbers]:
        """Themselves as arrays by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def rate(self, chosen: Numbers | None = None) -> Rate:
        """The rate over all trials, or over those that are chosen, booleans (n, K)."""
        chosen = np.ones(self.success.shape, bool) if chosen is None else chosen
        hits, trials = (self.success & chosen).sum(axis=1), chosen.sum(axis=1)
        total = int(trials.sum())
        low, high = cluster_interval(hits, trials)
        confidence = float(self.confidence[chosen].mean())
        return Rate(int((trials > 0).sum()), total, float(hits.sum() / total), low, high, confidence)

    def parts(self, what: str, low: float = 0.0, high: float = 1.0) -> Sequence[tuple[str, Rate]]:
        """The rates by thirds of "rotation" or "scale" between two limits, or of height and width, "location".

        Each has its name; nothing where all trials are alike in that.
        """
        columns = {"rotation": [2], "scale": [3], "location": [0, 1]}[what]
        thirds = [_thirds(self.placement[..., column], low, high) for column in columns]
        if low == high or not any(np.ptp(self.placement[..., column]) > 0 for column in columns):
            return ()
        if what == "location":
            row, column = thirds
            named = [(f"{THIRDS[0][i]} {THIRDS[1][j]}", (row == i) & (column == j)) for i in range(3) for j in range(3)]
        else:
            edges = np.linspace(low, high, 4)
            named = [(f"{what} {edges[n]:.3g} to {edges[n + 1]:.3g}", thirds[0] == n) for n in range(3)]
        return [(name, self.rate(chosen)) for name, chosen in named if chosen.any()]


def _thirds(values: Numbers, low: float, high: float) -> Numbers:
    share = (values - low) / (high - low if high > low else 1.0)
    return np.asarray((share * 3).astype(int).clip(0, 2))
