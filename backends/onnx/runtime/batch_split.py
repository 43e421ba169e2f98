"""Splits a batch over the processor's cores: each core runs a few images in a session of one thread.

For enough images this is faster than one session that divides every layer among the cores: no thread waits at the end
of a layer, kernels that onnxruntime runs on one core only (col2im, pooling with indices) use all cores, an image stays
in the cache of its core, and only as many images as there are cores have their activations in memory.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.execution.thread_map import map_in_order

from ..ir.session import thread_count

__all__ = [
    "CPU_PROVIDER",
    "BatchSplit",
    "arranged",
    "cores",
    "map_batches",
    "parts_of",
    "rows_of",
    "split_batch",
]

Run: TypeAlias = Callable[[Array, Mapping[str, Array], Mapping[str, Array]], dict[Any, Array]]
"""Called with images, replaced activations and cotangents; gives arrays with a row for each image."""
CPU_PROVIDER = "CPUExecutionProvider"
"""onnxruntime's name of the provider that computes on the processor."""

PIXELS_PER_THREAD = 224 * 224
"""Minimum number of pixels per thread: smaller images go several at a time, a smaller batch as a whole."""
LEAST_LOAD = 0.8
"""Minimum share of the cores' time that is used while the last images run."""


@dataclass(frozen=True)
class BatchSplit:
    """How a batch is divided."""

    images: int
    """Images in one run of the session."""
    threads: int
    """Threads of the session; 0 for `thread_count`."""
    parallel: int = 1
    """Runs of the session at the same time."""
    order: tuple[int, ...] = ()
    """Rows in the order of the parts, where each needs images and their references; empty for that of the batch."""

    @property
    def in_turn(self) -> "BatchSplit":
        """The same parts, one after the other in a session with all threads."""
        return replace(self, threads=0, parallel=1)

    def arranged(self, values: Array) -> Array:
        """Rows of the batch in the order of the parts."""
        return as_numpy(values)[list(self.order)] if self.order else values

    def restored(self, values: Array) -> Array:
        """Rows in the order of the parts back in that of the batch; those that filled up a part are dropped."""
        if not self.order:
            return values
        place = {row: index for index, row in reversed([*enumerate(self.order)])}
        return as_numpy(values)[[place[row] for row in range(len(place))]]

    def map(self, call: Callable[..., Any], parts: Iterable[tuple[Any, ...]]) -> list[Any]:
        """The results of `call(*part)` for each part, in order."""
        return list(map_in_order(lambda part: call(*part), parts, self.parallel))


def split_batch(count: int, pixels: int, fixed: int | None = None, *, pairs: bool = False) -> BatchSplit:
    """How to divide `count` images of `pixels` each.

    Args:
        count: of images.
        pixels: of each.
        fixed: the only batch size that the network takes, if any.
        pairs: whether the batch is images, then as many references, and each part needs both.
    """
    if pairs:
        return _split_pairs(count, pixels, fixed)
    parallel = cores()
    images = fixed or max(1, min(PIXELS_PER_THREAD // max(pixels, 1), -(-count // parallel)))
    parts = -(-count // images)
    rounds = -(-parts // parallel)
    if count * pixels <= PIXELS_PER_THREAD or parts < LEAST_LOAD * rounds * parallel:
        return BatchSplit(fixed or count, 0)
    return BatchSplit(images, 1, parallel)


def _split_pairs(count: int, pixels: int, fixed: int | None) -> BatchSplit:
    """As `split_batch`, each part with as many references as images; `count` is of both together."""
    half = count // 2
    split = split_batch(half, 2 * pixels, fixed and fixed // 2)
    if split.images == half and not fixed:
        return replace(split, images=count)
    order: list[int] = []
    for start in range(0, half, split.images):
        rows = [*range(start, min(start + split.images, half))]
        rows += rows[-1:] * (split.images - len(rows)) if fixed else []
        order += [*rows, *(row + half for row in rows)]
    return replace(split, images=2 * split.images, order=tuple(order))


def cores() -> int:
    """The number of cores to use: `thread_count`, or all."""
    return thread_count() or os.cpu_count() or 1


def rows_of(values: Array, start: int, size: int) -> Array:
    """`size` rows from `start` on; if there are fewer, the last is repeated (the caller drops its results)."""
    part = as_numpy(values)[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


def arranged(split: BatchSplit, *arrays: Mapping[str, Array]) -> list[dict[str, Array]]:
    """Arrays by layer, their rows in the order of the parts."""
    return [{name: split.arranged(value) for name, value in named.items()} for named in arrays]


def parts_of(
    split: BatchSplit, fixed: int | None, x: Array, replace: Mapping[str, Array], cotangents: Mapping[str, Array]
) -> Iterator[tuple[Array, dict[str, Array], dict[str, Array]]]:
    """A batch in parts, each with its rows of the other arrays.

    Args:
        split: how the batch is divided.
        fixed: the only batch size that the network takes, if any: the last part is filled up to it.
        x: images.
        replace: activations by layer.
        cotangents: by layer.
    """
    x, (replace, cotangents) = split.arranged(as_numpy(x)), arranged(split, replace, cotangents)
    for start in range(0, len(x), split.images):
        count = fixed or min(split.images, len(x) - start)
        yield (
            rows_of(x, start, count),
            {name: rows_of(value, start, count) for name, value in replace.items()},
            {name: rows_of(value, start, count) for name, value in cotangents.items()},
        )


def map_batches(
    split: BatchSplit,
    fixed: int | None,
    run: Run,
    x: Array,
    replaced: Mapping[str, Array],
    cotangents: Mapping[str, Array],
) -> dict[Any, Array]:
    """The results of `run` on the parts of a batch, joined; rows that filled up a fixed batch are dropped.

    Args:
        split: how the batch is divided.
        fixed: the only batch size that the network takes, if any.
        run: what is done with each part.
        x: images.
        replaced: activations by layer.
        cotangents: by layer.
    """
    parts = split.map(run, parts_of(split, fixed, x, replaced, cotangents))
    joined: dict[Any, Array] = parts[0]
    if len(parts) > 1:
        joined = {key: np.concatenate([part[key] for part in parts]) for key in joined}
    if split.order:
        return {key: split.restored(value) for key, value in joined.items()}
    if len(x) % (fixed or len(x)) == 0:
        return joined
    return {key: value[: len(x)] for key, value in joined.items()}
