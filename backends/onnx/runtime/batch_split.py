"""Splits a batch over the processor's cores: each core runs a few images in a session of one thread.

For enough images this is faster than one session that divides every layer among the cores: no thread waits at the end
of a layer, kernels that onnxruntime runs on one core only (col2im, pooling with indices) use all cores, an image stays
in the cache of its core, and only as many images as there are cores have their activations in memory.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.execution.thread_map import map_in_order

from ..ir.session import thread_count

__all__ = ["CPU_PROVIDER", "BatchSplit", "cores", "map_batches", "parts_of", "rows_of", "split_batch"]

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

    def map(self, call: Callable[..., Any], parts: Iterable[tuple[Any, ...]]) -> list[Any]:
        """The results of `call(*part)` for each part, in order."""
        return list(map_in_order(lambda part: call(*part), parts, self.parallel))


def split_batch(count: int, pixels: int, fixed: int | None = None) -> BatchSplit:
    """How to divide `count` images of `pixels` each; `fixed` is the only batch size that the network takes, if any."""
    parallel = cores()
    images = fixed or max(1, min(PIXELS_PER_THREAD // max(pixels, 1), -(-count // parallel)))
    parts = -(-count // images)
    rounds = -(-parts // parallel)
    if count * pixels <= PIXELS_PER_THREAD or parts < LEAST_LOAD * rounds * parallel:
        return BatchSplit(fixed or count, 0)
    return BatchSplit(images, 1, parallel)


def cores() -> int:
    """The number of cores to use: `thread_count`, or all."""
    return thread_count() or os.cpu_count() or 1


def rows_of(values: Array, start: int, size: int) -> Array:
    """`size` rows from `start` on; if there are fewer, the last is repeated (the caller drops its results)."""
    part = as_numpy(values)[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part


def parts_of(
    size: int, fixed: int | None, x: Array, replace: Mapping[str, Array], cotangents: Mapping[str, Array]
) -> Iterator[tuple[Array, dict[str, Array], dict[str, Array]]]:
    """A batch in parts, each with its rows of the other arrays.

    Args:
        size: images in a part.
        fixed: the only batch size that the network takes, if any: the last part is filled up to it.
        x: images.
        replace: activations by layer.
        cotangents: by layer.
    """
    for start in range(0, len(x), size):
        count = fixed or min(size, len(x) - start)
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
    replace: Mapping[str, Array],
    cotangents: Mapping[str, Array],
) -> dict[Any, Array]:
    """The results of `run` on the parts of a batch, joined; rows that filled up a fixed batch are dropped.

    Args:
        split: how the batch is divided.
        fixed: the only batch size that the network takes, if any.
        run: what is done with each part.
        x: images.
        replace: activations by layer.
        cotangents: by layer.
    """
    parts = split.map(run, parts_of(split.images, fixed, as_numpy(x), replace, cotangents))
    joined: dict[Any, Array] = parts[0]
    if len(parts) > 1:
        joined = {key: np.concatenate([part[key] for part in parts]) for key in joined}
    if len(x) % (fixed or len(x)) == 0:
        return joined
    return {key: value[: len(x)] for key, value in joined.items()}
