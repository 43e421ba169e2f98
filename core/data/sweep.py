"""A sweep: rounds over a source until no further statistic is asked for, one forward pass per image and round.

Some statistics depend on others: overlaps on thresholds, exact quantiles on ranges. So each method is asked again after
a round, with what was gathered. All statistics of a round are gathered in one pass, whichever method asked for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from ..errors import ImageError
from ..execution.batching import forward_limit
from ..execution.executor import Executor, Local
from ..execution.progress import Progress, silent
from ..model.base import Model
from .keeper import Gathered, InMemory, Keeper, Round
from .shard import Shard, ShardJob, ShardResult
from .source import Source
from .statistic import State, Statistic

__all__ = ["NamesStatistics", "replay", "sweep"]


class NamesStatistics(Protocol):
    """What names the statistics of a sweep: a `crosslens.DatasetMethod`, or anything else with this method."""

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        """What the next round must gather; an empty list when there is nothing left to gather."""


def sweep(
    model: Model,
    source: Source,
    methods: Sequence[NamesStatistics],
    progress: Progress = silent,
    *,
    executor: Executor[Shard, ShardResult] | None = None,
    threads: int | None = None,
    keeper: Keeper | None = None,
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
        keeper: keeps the states; memory if not given. What it knows is not gathered again.

    Raises:
        ImageError: none of the images can be read, or they changed between two rounds.
        WorkerError: a worker was lost.
    """
    kept, number = keeper or InMemory(), 0
    while statistics := _next_statistics(model, source, methods, kept.gathered.states):
        number += 1
        before, this = kept.gathered, kept.begin(statistics, len(source))
        job = ShardJob(model, source, this.statistics, threads)
        _run_round(job, this, executor or Local(), progress, f"round {number}")
        gathered = this.end()
        if before.images and (before.images, before.failures) != (gathered.images, gathered.failures):
            raise ImageError(f"{source} changed during the sweep: round {number} read other images than the one before")
    gathered = kept.gathered
    if gathered.failures and not gathered.images:
        first = gathered.failures[0]
        raise ImageError(
            f"none of the {len(source)} images of {source} can be read; the first, {first.id}: {first.reason}"
        )
    return replace(gathered, micro_batch=forward_limit(model))


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


def _run_round(
    job: ShardJob, this: Round, executor: Executor[Shard, ShardResult], progress: Progress, what: str
) -> None:
    """Have the shards computed that are left, and keep each of them as it comes."""
    count, left = len(job.source), this.left
    done, finished = count - sum(shard.stop - shard.start for shard in left), 0

    def report(stop: int) -> None:
        progress(done + stop - left[finished].start, count, what)

    here = isinstance(executor, Local)
    if here:
        job = replace(job, report=report)
    for shard, result in executor.run(job, left):
        this.add(result)
        done, finished = done + shard.stop - shard.start, finished + 1
        if not here:
            progress(done, count, what)
