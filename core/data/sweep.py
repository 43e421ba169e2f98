"""A sweep: rounds over a source until no further statistic is asked for, one forward pass per image and round.

Some statistics depend on others: overlaps on thresholds, exact quantiles on ranges. So each method is asked again after
a round, with what was gathered. All statistics of a round are gathered in one pass, whichever method asked for them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..errors import ImageError
from ..execution.batching import forward_limit
from ..execution.executor import Executor, Local
from ..execution.progress import Progress, silent
from ..model.base import Model
from ..result.display import counted, one_line
from .shard import SHARD, Shard, ShardJob, ShardResult, shards
from .source import Failure, Source
from .statistic import State, Statistic

__all__ = ["Gathered", "NamesStatistics", "fold", "in_order", "replay", "sweep"]


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


def sweep(
    model: Model,
    source: Source,
    methods: Sequence[NamesStatistics],
    progress: Progress = silent,
    *,
    executor: Executor[Shard, ShardResult] | None = None,
    threads: int | None = None,
) -> Gathered:
    """Gather statistics over a source, by default in this process.

    Args:
        model: a network that takes images.
        source: the images.
        methods: each is asked for statistics with None first, then after each round with the states of its own so far.
        progress: called with (images of this round, all of them, which round): after each micro-batch in this process,
            elsewhere after each shard.
        executor: who computes the shards.
        threads: of the model; None for what its framework takes. States are the same bits on any executor, and with
            any number of workers, on one type of processor, where the threads are the same.

    Raises:
        ImageError: none of the images can be read, or they changed between two rounds.
        WorkerError: a worker was lost.
    """
    gathered, number = Gathered(), 0
    while statistics := _next_statistics(model, source, methods, gathered.states):
        number += 1
        job = ShardJob(model, source, statistics, threads)
        this = _round(job, executor or Local(), progress, f"round {number}")
        if number > 1 and (this.images, this.failures) != (gathered.images, gathered.failures):
            raise ImageError(f"{source} changed during the sweep: round {number} read other images than the one before")
        gathered = replace(this, states={**gathered.states, **this.states}, micro_batch=forward_limit(model))
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


def _round(job: ShardJob, executor: Executor[Shard, ShardResult], progress: Progress, what: str) -> Gathered:
    count, source = len(job.source), job.source
    here, done = isinstance(executor, Local), 0
    if here:
        job = replace(job, report=lambda stop: progress(stop, count, what))

    def results() -> Iterator[ShardResult]:
        nonlocal done
        for shard, result in executor.run(job, shards(count)):
            done += shard.stop - shard.start
            if not here:
                progress(done, count, what)
            yield result

    gathered = fold(job.statistics, in_order(results()))
    if not gathered.images:
        first = gathered.failures[0]
        raise ImageError(f"none of the {count} images of {source} can be read; the first, {first.id}: {first.reason}")
    return gathered


def in_order(results: Iterable[ShardResult]) -> Iterator[ShardResult]:
    """The results in the order of their shards, 0, 1, ...; one that comes early is kept until it is its turn."""
    early: dict[int, ShardResult] = {}
    number = 0
    for result in results:
        early[result.shard.number] = result
        while number in early:
            yield early.pop(number)
            number += 1


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
