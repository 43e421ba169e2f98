"""A sweep: rounds over a source until nobody asks for another statistic, one forward pass per image and round.

Some statistics need others first: thresholds come before overlaps, ranges before exact quantiles. So those who ask are
asked again after each round, with what was gathered. All that is asked for in a round is gathered in one pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..errors import ImageError
from ..execution.progress import Progress, silent
from ..model.base import Model
from .shard import ShardResult, run_shard, shards
from .source import Failure, Source
from .statistic import State, Statistic

__all__ = ["Gathered", "StatisticsOf", "fold", "sweep"]


class StatisticsOf(Protocol):
    """What a sweep asks: `crosslens.DatasetMethod`, or anything else with this method."""

    def statistics(
        self, model: Model, source: Source, gathered: Mapping[Statistic, State] | None = None
    ) -> Sequence[Statistic]:
        """What the next round must gather; nothing when all is there."""


@dataclass(frozen=True)
class Gathered:
    """What a sweep gathered: states by statistic, how many images were read in each round, and the failures."""

    states: Mapping[Statistic, State] = field(default_factory=dict)
    images: int = 0
    failures: tuple[Failure, ...] = ()


def sweep(model: Model, source: Source, askers: Sequence[StatisticsOf], progress: Progress = silent) -> Gathered:
    """Gather over a source, in this process, what all of these ask for.

    Args:
        model: any that takes images.
        source: the images.
        askers: each is asked with None first, then after each round with all states gathered so far.
        progress: called after each micro-batch with (images of this round, all of them, which round).

    Raises:
        ImageError: none of the images can be read, or they changed between two rounds.
    """
    gathered, number = Gathered(), 0
    while wanted := _wanted(model, source, askers, gathered):
        number += 1
        this = _round(model, source, wanted, progress, f"round {number}")
        if number > 1 and (this.images, this.failures) != (gathered.images, gathered.failures):
            raise ImageError(f"{source} changed during the sweep: round {number} read other images than the one before")
        gathered = Gathered({**gathered.states, **this.states}, this.images, this.failures)
    return gathered


def _wanted(model: Model, source: Source, askers: Sequence[StatisticsOf], gathered: Gathered) -> tuple[Statistic, ...]:
    """What is asked for and not there yet, each once."""
    asked = [each for asker in askers for each in asker.statistics(model, source, gathered.states or None)]
    return tuple(dict.fromkeys(each for each in asked if each not in gathered.states))


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
