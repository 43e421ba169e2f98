"""Exact quantiles of each unit's activations, equal to sorting them, from whole-number counts.

The bits of a float32, as a whole number with the sign turned round, are in the order of the numbers. Each round over
the data counts eight further bits, of the values that begin as a quantile does: four rounds know all of it. Counts
commute, so neither the order of the images nor their cut into batches matters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from ..arrays import Array
from ..errors import ModelError
from ..model.reduction import unit_axis
from .statistic import Batch, State, Statistic
from .unit_blocks import unit_blocks

__all__ = ["BitCounts", "exact_quantiles", "sortable"]

Numbers = np.ndarray[Any, Any]
BITS, ROUNDS = 8, 4
"""Bits that a round counts: wider ones take a table for each unit that costs more than a further round."""


def sortable(values: Numbers) -> Numbers:
    """float32 values as uint32 in the same order; -0 is 0."""
    bits = (values + np.float32(0)).view(np.uint32)
    negative = (bits.view(np.int32) >> 31).view(np.uint32)
    return np.asarray(bits ^ (negative | np.uint32(1 << 31)))


def from_sortable(keys: Numbers) -> Numbers:
    """The float32 values of `sortable` numbers."""
    positive = keys >> np.uint32(31)
    return np.where(positive, keys ^ np.uint32(1 << 31), ~keys).astype(np.uint32).view(np.float32)


@dataclass(frozen=True)
class BitCounts(Statistic):
    """How many of the values that begin with known bits go on with each of the next eight bits, (groups, 256)."""

    any_grouping: ClassVar[bool] = True

    layer: str
    known: tuple[bytes, ...] = ()
    """For each eight bits that are known: the groups that are followed, int64, ascending, each `group before * 256 +
    its eight bits`. The groups before the first are the units."""

    @property
    def layers(self) -> frozenset[str]:
        return frozenset({self.layer})

    def empty(self) -> State:
        """No counts: the first that are added bring the number of groups."""
        return {"counts": np.zeros((0, 1 << BITS), np.int64)}

    def add(self, state: State, batch: Batch) -> State:
        units = int(batch.activations[self.layer].shape[unit_axis(batch.activations[self.layer].ndim)])
        groups = len(self.known[-1]) // 8 if self.known else units
        counts = np.zeros((groups, 1 << BITS), np.int64)
        tables = tuple(self._places(units))
        for values, numbers, chosen in (block for each in self.values(batch) for block in unit_blocks(each)):
            if np.isnan(values.max()):
                raise ModelError(
                    f"layer {self.layer!r} gives NaN for some of the images {batch.samples.ids[0]} to "
                    f"{batch.samples.ids[-1]}, and NaN has no order; look at the network's weights and at preprocess="
                )
            if self.known:
                counts += _counted(self._followed(sortable(values), numbers + chosen.start, tables), groups)
            else:
                counts[chosen] += _counted(numbers << BITS | _next_bits(sortable(values), 0), len(counts[chosen]))
        return self.merge(state, {"counts": counts})

    def values(self, batch: Batch) -> Iterable[Array]:
        """What is counted of a batch, (N, units, ...) or tokens, part by part; override to count something else."""
        yield batch.activations[self.layer]

    def _followed(self, keys: Numbers, groups: Numbers, tables: Sequence[Numbers]) -> Numbers:
        """`group * 256 + next eight bits` of each value that begins as the known bits say."""
        for level, table in enumerate(tables):
            places = table[groups << BITS | _next_bits(keys, level)]
            inside = places >= 0
            groups, keys = places[inside], keys[inside]
        return groups << BITS | _next_bits(keys, len(self.known))

    def _places(self, count: int) -> Iterator[Numbers]:
        """For each eight known bits, the group that `group before * 256 + the bits` is; -1 for one not followed."""
        for wanted in self.known:
            followed = np.frombuffer(wanted, np.int64)
            table = np.full(count << BITS, -1, np.int64)
            table[followed] = np.arange(len(followed))
            count = len(followed)
            yield table

    def merge(self, first: State, second: State) -> State:
        if not (first["counts"].size and second["counts"].size):
            return first if first["counts"].size else second
        return {"counts": first["counts"] + second["counts"]}


def _counted(places: Numbers, groups: int) -> Numbers:
    return np.bincount(places.ravel(), minlength=groups << BITS).reshape(groups, 1 << BITS)


def _next_bits(keys: Numbers, level: int) -> Numbers:
    return (keys >> np.uint32(32 - BITS * (level + 1)) & np.uint32((1 << BITS) - 1)).astype(np.int64)


def exact_quantiles(
    layer: str,
    shares: Sequence[float],
    gathered: Mapping[Statistic, State],
    counts: Callable[[str, tuple[bytes, ...]], BitCounts] = BitCounts,
) -> tuple[Sequence[Statistic], Numbers | None]:
    """The quantiles of each unit of a layer over all images and positions, or what must be gathered before.

    The quantile of a share q of n values is the ceil(q n)-th smallest, the least value that a share q of all does not
    exceed (numpy.quantile's method "inverted_cdf"). So P(a > T) <= 0.005 for the quantile T of 0.995, the threshold of
    network dissection (Bau et al. 2017).

    Args:
        layer: the canonical name of a layer with units.
        shares: from 0 to 1, as they are written in decimals: 0.995 is 995 / 1000.
        gathered: states known so far, among them perhaps those of earlier rounds.
        counts: makes the statistic of a layer and known bits, where something else than activations is counted.

    Returns:
        The statistics of the rounds so far and the next one, and None; or all of them, and (shares, units) float32.
    """
    asked: list[Statistic] = []
    known: tuple[bytes, ...] = ()
    group = rank = prefix = np.zeros(0, np.int64)
    for level in range(ROUNDS if shares else 0):
        asked.append(statistic := counts(layer, known))
        if statistic not in gathered:
            return asked, None
        sums = np.cumsum(gathered[statistic]["counts"], axis=1)
        if not level:
            totals, units = sums[:, -1].astype(object), len(sums)
            exact = [Fraction(str(float(share))) for share in shares]
            rank = np.array([[max(-int(-q * n // 1), 1) - 1 for n in totals] for q in exact], np.int64)
            group, prefix = np.broadcast_to(np.arange(units), rank.shape), np.zeros(rank.shape, np.int64)
        bits = (sums[group] <= rank[..., None]).sum(axis=-1)
        rank = rank - np.where(bits, sums[group, np.maximum(bits - 1, 0)], 0)
        prefix = prefix << BITS | bits
        followed, group = np.unique(group << BITS | bits, return_inverse=True)
        group = group.reshape(rank.shape)
        known = (*known, followed.tobytes())
    return asked, from_sortable(prefix.astype(np.uint32)) if shares else None
