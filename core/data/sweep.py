"""A sweep: rounds over a source until no further statistic is asked for, one forward pass per image and round.

Some statistics depend on others: overlaps on thresholds, exact quantiles on ranges. So each method is asked again after
a round, with what was gathered. All statistics of a round are gathered in one pass, whichever method asked for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..errors import ImageError
from ..execution.batching import batch_limit
from ..execution.progress import Progress, silent
from ..model.base import Model
from ..result.display import counted, one_line
from .shard import SHARD, ShardResult, run_shard, shards
from .source import Failure, Source
from .statistic import State, Statistic

__all__ = ["Gathered", "NamesStatistics", "fold", "replay", "sweep"]


class NamesStatistics(Protocol):
    """What names the statistics of a sweep: a `crosslens.DatasetMethod`, or anything else with this method."""

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        """What the next round must gather; an empty list when there is nothing left to gather."""


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


def sweep(model: Model, source: Source, methods: Sequence[NamesStatistics], progress: Progress = silent) -> Gathered:
    """Gather statistics over a source, in this process.

    Args:
        model: a network that takes images.
        source: the images.
        methods: each is asked for statistics with None first, then after each round with the states of its own so far.
        progress: called after each micro-batch with (images of this round, all of them, which round).

    Raises:
        ImageError: none of the images can be read, or they changed between two rounds.
    """
    gathered, number = Gathered(), 0
    while statistics := _next_statistics(model, source, methods, gathered.states):
        number += 1
        this = _round(model, source, statistics, progress, f"round {number}")
        if number > 1 and (this.images, this.failures) != (gathered.images, gathered.failures):
            raise ImageError(f"{source} changed during the sweep: round {number} read other images than the one before")
        gathered = replace(this, states={**gathered.states, **this.states}, micro_batch=batch_limit(model))
    return gathered


def replay(
    method: NamesStatistics, model: Model, source: Source, states: Mapping[Statistic, State]
) -> tuple[Mapping[Statistic, State], Sequence[Statistic]]:
    """Ask a method round by round for its statistics, as far as their states are known.

    Args:
        method: asked with None first, then with the states of its own statistics so far.
        model: the network.
        source: the images.
        states: all that is known, of other methods too.

    Returns:
        The states of the method's own statistics, in the order in which it asked, and the statistics that it asks for
        next and that are not known; none when it has all that it needs.
    """
    own: dict[Statistic, State] = {}
    while asked := [each for each in method.statistics(model, source, dict(own) or None) if each not in own]:
        if missing := [each for each in asked if each not in states]:
            return own, missing
        own |= {each: states[each] for each in asked}
    return own, []


def _next_statistics(
    model: Model, source: Source, methods: Sequence[NamesStatistics], states: Mapping[Statistic, State]
) -> tuple[Statistic, ...]:
    """The statistics that the methods ask for and that were not gathered yet, each once."""
    missing = [each for method in methods for each in replay(method, model, source, states)[1]]
    return tuple(dict.fromkeys(missing))


def _round(model: Model, source: Source, statistics: Sequence[Statistic], progress: Progress, what: str) -> Gathered:
    count = len(source)

    def report(stop: int) -> None:
        progress(stop, count, what)

    gathered = fold(statistics, (run_shard(model, source, statistics, shard, report) for shard in shards(count)))
    if not gathered.images:
        first = gathered.failures[0]
        raise ImageError(f"none of the {count} images of {source} can be read; the first, {first.id}: {first.reason}")
    return gathered


def fold(statistics: Iterable[Statistic], results: Iterable[ShardResult]) -> Gathered:
    """The results of all shards as one, merged from left to right.

    Args:
        statistics: those that were gathered.
        results: in the order of the shards, in whatever order they were computed.
    """
    states, images, failures = {each: each.empty() for each in statistics}, 0, list[Failure]()
    for result in results:
        states = {each: each.merge(state, result.states[each]) for each, state in states.items()}
        images += result.images
        failures += result.failures
    return Gathered(states, images, tuple(failures))
