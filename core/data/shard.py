"""Shards: fixed index ranges of a source, each processed in fixed micro-batches, in any order and by any worker.

Frameworks promise the same bits only for the same batches. So the limits of shards and micro-batches depend on the
length of the source and on the model, not on the number of workers.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace

from ..execution.batching import forward_limit
from ..execution.executor import Job
from ..execution.processor import instruction_set
from ..execution.thread_map import read_ahead
from ..execution.threads import computes_with
from ..model.base import Model
from ..model.reduction import Reduction
from .reduce import reduce
from .source import Failure, Samples, Source
from .statistic import Batch, Quantity, State, Statistic

__all__ = ["SHARD", "Shard", "ShardJob", "ShardResult", "computed", "run_shard", "shards"]

SHARD = 256
"""Images in a shard: many micro-batches, and seconds of work, which is what is lost where a process is killed."""
AHEAD = 2
"""Micro-batches that are read while the model computes one."""


@dataclass(frozen=True)
class Shard:
    """The images of the index range [start, stop)."""

    number: int
    start: int
    stop: int

    def __str__(self) -> str:
        return f"shard {self.number} (images {self.start} to {self.stop - 1})"

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
    threads: int | None = None
    """Threads that the model computed with; None where nobody can tell."""
    processor: str = ""
    """What `crosslens.execution.processor.instruction_set` says where it was computed."""


def shards(count: int, size: int | None = None) -> Sequence[Shard]:
    """A source of `count` images in shards, of `SHARD` images if not told.

    >>> [(shard.start, shard.stop) for shard in shards(5, 2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    each = SHARD if size is None else size
    return [Shard(number, start, min(start + each, count)) for number, start in enumerate(range(0, count, each))]


@dataclass(frozen=True)
class ShardJob(Job[Shard, ShardResult]):
    """What a worker does with shards: the same bits wherever it runs, given the same threads and type of processor."""

    model: Model
    source: Source
    statistics: tuple[Statistic, ...]
    threads: int | None = 1
    """Of the model, and of NumPy; None leaves them as they are."""
    report: Callable[[int], None] | None = None
    """Called after each micro-batch with the index after its last image; for this process only."""

    @contextmanager
    def open(self) -> Iterator[Callable[[Shard], ShardResult]]:
        with computes_with(self.model, self.threads) as threads:
            yield lambda shard: replace(
                run_shard(self.model, self.source, self.statistics, shard, self.report or _untold),
                threads=threads,
                processor=instruction_set(),
            )


def _untold(stop: int) -> None:
    """Tell nobody."""


def run_shard(
    model: Model,
    source: Source,
    statistics: Sequence[Statistic],
    shard: Shard,
    report: Callable[[int], None] = _untold,
) -> ShardResult:
    """Gather statistics over one shard: each image is read once and goes through the model once for all of them.

    While the model computes, one thread reads and decodes the next images, and one adds what the model gave before, in
    order. The model stays on the caller's thread, for which its number of threads is set.

    Args:
        model: its `crosslens.execution.batching.forward_limit` is the size of a micro-batch.
        source: what the shard is a range of.
        statistics: what to gather, each a different one.
        shard: the index range.
        report: called after each micro-batch with the index after its last image.
    """
    states = {each: each.empty() for each in statistics}
    images, failures = 0, list[Failure]()
    ranges = list(shard.micro_batches(forward_limit(model)))

    def batches() -> Generator[tuple[int, Batch | None]]:
        with closing(read_ahead(lambda limits: source.read(*limits, model), ranges, AHEAD)) as read:
            for (_, stop), samples in zip(ranges, read, strict=True):
                failures.extend(samples.failures)
                yield stop, computed(model, samples, statistics) if samples.ids else None

    def add(step: tuple[int, Batch | None]) -> int:
        nonlocal states, images
        stop, batch = step
        if batch is not None:
            states = {each: each.add(state, batch) for each, state in states.items()}
            images += len(batch)
        return stop

    with closing(batches()) as steps, closing(read_ahead(add, steps, 1)) as added:
        for stop in added:
            report(stop)
    return ShardResult(shard, states, images, tuple(failures))


def computed(model: Model, samples: Samples, statistics: Sequence[Statistic]) -> Batch:
    """A batch with all that these statistics read: one forward pass, and each quantity once."""
    layers = sorted(frozenset[str]().union(*(each.layers for each in statistics)))
    reductions = sorted(frozenset[Reduction]().union(*(each.reductions for each in statistics)))
    quantities = frozenset[Quantity]().union(*(each.quantities for each in statistics))
    reduced, activations = reduce(model, samples.images, reductions, layers)
    return Batch(samples, activations, reduced, {each: each.compute(model, samples) for each in quantities})
