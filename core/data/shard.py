"""Shards: fixed index ranges of a source, each processed in fixed micro-batches, in any order and by any worker.

Frameworks promise the same bits only for the same batches. So the limits of shards and micro-batches depend on the
length of the source and on the model, not on the number of workers.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..execution.batching import batch_limit
from ..model.base import Model
from ..model.reduction import Reduction
from .reduce import reduce
from .source import Failure, Samples, Source
from .statistic import Batch, Quantity, State, Statistic

__all__ = ["SHARD", "Shard", "ShardResult", "computed", "run_shard", "shards"]

SHARD = 256
"""Images in a shard: many micro-batches, and seconds of work, which is what is lost where a process is killed."""


@dataclass(frozen=True)
class Shard:
    """The images of the index range [start, stop)."""

    number: int
    start: int
    stop: int

    def micro_batches(self, size: int) -> Iterator[tuple[int, int]]:
        """(start, stop) of consecutive batches of `size` images, the last one shorter."""
        for start in range(self.start, self.stop, size):
            yield start, min(start + size, self.stop)


@dataclass(frozen=True)
class ShardResult:
    """What one shard gave: a state for each statistic, the number of images read, and the failures."""

    shard: Shard
    states: Mapping[Statistic, State]
    images: int
    failures: tuple[Failure, ...]


def shards(count: int, size: int = SHARD) -> Sequence[Shard]:
    """A source of `count` images in shards.

    >>> [(shard.start, shard.stop) for shard in shards(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    return [Shard(number, start, min(start + size, count)) for number, start in enumerate(range(0, count, size))]


def run_shard(
    model: Model,
    source: Source,
    statistics: Sequence[Statistic],
    shard: Shard,
    report: Callable[[int], None] = lambda stop: None,
) -> ShardResult:
    """Gather statistics over one shard: each image is read once and goes through the model once for all of them.

    Args:
        model: its `crosslens.execution.batching.batch_limit` is the size of a micro-batch.
        source: what the shard is a range of.
        statistics: what to gather, each a different one.
        shard: the index range.
        report: called after each micro-batch with the index after its last image.
    """
    states = {each: each.empty() for each in statistics}
    images, failures = 0, list[Failure]()
    for start, stop in shard.micro_batches(batch_limit(model)):
        samples = source.read(start, stop, model)
        failures += samples.failures
        if samples.ids:
            batch = computed(model, samples, statistics)
            states = {each: each.add(state, batch) for each, state in states.items()}
            images += len(batch)
        report(stop)
    return ShardResult(shard, states, images, tuple(failures))


def computed(model: Model, samples: Samples, statistics: Sequence[Statistic]) -> Batch:
    """A batch with all that these statistics read: one forward pass, and each quantity once."""
    layers = sorted(frozenset[str]().union(*(each.layers for each in statistics)))
    reductions = sorted(frozenset[Reduction]().union(*(each.reductions for each in statistics)))
    quantities = frozenset[Quantity]().union(*(each.quantities for each in statistics))
    reduced, activations = reduce(model, samples.images, reductions, layers)
    return Batch(samples, activations, reduced, {each: each.compute(model, samples) for each in quantities})
