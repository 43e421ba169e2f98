"""Keepers: where the states of a sweep's rounds are kept while they grow, in memory or in a store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..result.display import counted, one_line
from .rows import Rows
from .shard import SHARD, Shard, ShardResult, shards
from .source import Failure
from .statistic import State, Statistic

__all__ = ["Gathered", "InMemory", "Keeper", "Round", "RoundInMemory", "fold"]


@dataclass(frozen=True)
class Gathered:
    """What a sweep gathered: a state for each statistic, and the images that could not be read."""

    states: Mapping[Statistic, State] = field(default_factory=dict)
    images: int = 0
    """How many images were read in each round."""
    failures: tuple[Failure, ...] = ()
    shard: int = SHARD
    """Images in a shard; with the size of a micro-batch it decides the last bits of sums."""
    micro_batch: int = 0
    """Images that went through the model at once."""

    def __repr__(self) -> str:
        counts = (counted(len(self.states), "statistic"), counted(self.images, "image"))
        return one_line("Gathered", [*counts, counted(len(self.failures), "failure")])


class Round(Protocol):
    """One pass over the data. Results come in any order and are merged in that of the shards."""

    @property
    def statistics(self) -> tuple[Statistic, ...]:
        """What this round gathers: all that was asked for, or, where it was begun earlier, what it had then."""

    @property
    def left(self) -> Sequence[Shard]:
        """The shards that are not known yet, in their order."""

    def add(self, result: ShardResult) -> None:
        """Keep what one shard gave."""

    def end(self) -> Gathered:
        """All of it, when every shard was added."""


class Keeper(Protocol):
    """Keeps what a sweep gathers, round by round."""

    @property
    def gathered(self) -> Gathered:
        """What the rounds that have ended gave."""

    def begin(self, statistics: tuple[Statistic, ...], count: int) -> Round:
        """A round over `count` images that gathers these statistics, or some of them first."""


class InMemory:
    """Keeps everything in memory."""

    def __init__(self) -> None:
        self.gathered = Gathered()

    def begin(self, statistics: tuple[Statistic, ...], count: int) -> "RoundInMemory":
        """A round whose states join those before when it ends."""
        return RoundInMemory(statistics, count, self)


class RoundInMemory:
    """A round whose states are merged in memory; a result that comes early is kept until it is its turn."""

    def __init__(self, statistics: Iterable[Statistic], count: int, keeper: InMemory) -> None:
        self.statistics, self._count, self._keeper = tuple(statistics), count, keeper
        self._states = {each: each.empty() for each in self.statistics}
        self._images, self._failures = 0, list[Failure]()
        self.early: dict[int, ShardResult] = {}
        self._next = 0

    @property
    def left(self) -> Sequence[Shard]:
        return shards(self._count)

    def add(self, result: ShardResult) -> None:
        self.early[result.shard.number] = result
        while (due := self.early.pop(self._next, None)) is not None:
            self._states = {each: each.merge(state, due.states[each]) for each, state in self._states.items()}
            self._images += due.images
            self._failures += due.failures
            self._next += 1

    def end(self) -> Gathered:
        states = {each: self._given_out(each, state) for each, state in self._states.items()}
        known = {**self._keeper.gathered.states, **states}
        self._keeper.gathered = Gathered(known, self._images, tuple(self._failures))
        return self._keeper.gathered

    def _given_out(self, statistic: Statistic, state: State) -> State:
        return statistic.at_places(state, self._count) if isinstance(statistic, Rows) else state


def fold(statistics: Iterable[Statistic], results: Iterable[ShardResult]) -> Gathered:
    """The results of all shards as one, merged in the order of the shards, in whatever order they were computed.

    Args:
        statistics: those that were gathered.
        results: of all shards.
    """
    held = list(results)
    this = RoundInMemory(statistics, max((each.shard.stop for each in held), default=0), InMemory())
    for each in held:
        this.add(each)
    return this.end()
