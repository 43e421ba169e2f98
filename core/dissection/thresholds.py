"""The thresholds of units: quantiles of what they answer, exact or between two values as other programs take them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..data import Batch, Quantity, State, Statistic
from ..data.quantiles import BitCounts, exact_quantiles
from .basis import UNITS, Basis, maps_of
from .field_spans import FieldSpans, enlargers
from .label_planes import planes_of

__all__ = ["QUANTILE_RULES", "MapCounts", "ThresholdRule"]

Numbers = np.ndarray[Any, Any]
QUANTILE_RULES = ("exact", "linear", "hazen")
"""`exact`: a value that occurs, the least that a share of all does not exceed. Between the two values beside place p of
n sorted ones, counted from 0: `linear`, p = q (n - 1), as NetDissect reads its table; `hazen`, p = q n - 1/2."""


@dataclass(frozen=True)
class MapCounts(BitCounts):
    """As `BitCounts`, of maps along a basis, as they are or enlarged to the size of the label maps."""

    any_grouping: ClassVar[bool] = True

    basis: Basis = UNITS
    enlarge: str = ""
    """One of `ENLARGEMENTS`; empty for maps as they are."""

    @property
    def quantities(self) -> frozenset[Quantity]:
        return frozenset({FieldSpans(self.layer)}) if self.enlarge else frozenset()

    def values(self, batch: Batch) -> Iterable[Array]:
        every = maps_of(self.layer, batch.activations[self.layer], batch.samples.ids)
        over = enlargers(batch, self.layer, every.shape[2:], self.enlarge) if self.enlarge else []
        for place, maps in enumerate(every):
            found = self.basis.of(maps)
            if over:
                found = over[place].enlarged(found, planes_of(batch.samples, place).shape[1:])
            yield found[None]


@dataclass(frozen=True)
class ThresholdRule:
    """How a unit's threshold comes of its values."""

    share: float
    """Of the values up to the threshold."""
    rule: str = "exact"
    """One of `QUANTILE_RULES`."""
    enlarge: str = ""
    """Whether maps are enlarged before, and how."""

    def of(
        self, layer: str, basis: Basis, gathered: Mapping[Statistic, State]
    ) -> tuple[Sequence[Statistic], Numbers | None]:
        """The thresholds of a layer, (units,) float32, or None; and the statistics that they take so far.

        Args:
            layer: its canonical name.
            basis: whose thresholds.
            gathered: states known so far.
        """

        def counts(name: str, known: tuple[bytes, ...]) -> BitCounts:
            return MapCounts(name, known, basis, self.enlarge)

        first = counts(layer, ())
        if first not in gathered:
            return [first], None
        if self.rule == "exact":
            asked, found = exact_quantiles(layer, [self.share], gathered, counts)
            return asked, None if found is None else found[0]
        count = int(gathered[first]["counts"][0].sum())
        place = self.share * (count - 1) if self.rule == "linear" else self.share * count - 0.5
        place = min(max(place, 0.0), count - 1.0)
        low = floor(place)
        high = min(low + 1, count - 1)
        asked, found = exact_quantiles(layer, [(n + 0.5) / count for n in (low, high)], gathered, counts)
        if found is None:
            return asked, None
        below, above = found.astype(np.float64)
        return asked, (below + (place - low) * (above - below)).astype(np.float32)
