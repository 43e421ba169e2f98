"""Which images go through the network together: where there are enough of them, each core takes its own.

A session on one core, run by as many threads as there are cores, each with few images, beats one session that divides
every layer of the whole batch among the cores: nobody waits at the end of a layer, kernels that onnxruntime runs on one
core only (columns added back to an image, pools with places) keep all of them busy, what an image needs stays nearer to
its core, and a batch of eight holds the activations of as few images as there are cores.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.execution.thread_map import map_in_order

__all__ = ["PROCESSOR", "Share", "cores", "filled", "share"]

PROCESSOR = "CPUExecutionProvider"
"""onnxruntime's name for it."""

ENOUGH = 224 * 224
"""Pixels that are worth a thread's while: smaller images go several at a time, fewer pixels all at once."""
BUSY = 0.8
"""The part of the cores' time, at least, that must not go by in waiting for the last images."""


@dataclass(frozen=True)
class Share:
    """How a batch is divided."""

    images: int
    """Through the network at a time."""
    threads: int
    """That a session divides a layer among; 0 for as many as onnxruntime takes by itself."""
    at_once: int = 1
    """Runs of the session at the same time."""

    def each(self, call: Callable[..., Any], parts: Iterable[tuple[Any, ...]]) -> list[Any]:
        """What the call gives for each part, in order."""
        return list(map_in_order(lambda part: call(*part), parts, self.at_once))


def share(count: int, pixels: int, fixed: int | None = None) -> Share:
    """The division of `count` images of so many pixels each; a network may take a `fixed` number of images only."""
    at_once = cores()
    images = fixed or max(1, min(ENOUGH // max(pixels, 1), -(-count // at_once)))
    parts = -(-count // images)
    rounds = -(-parts // at_once)
    if count * pixels <= ENOUGH or parts < BUSY * rounds * at_once:
        return Share(fixed or count, 0)
    return Share(images, 1, at_once)


def cores() -> int:
    """As many as OMP_NUM_THREADS says, or as there are."""
    return int(os.environ.get("OMP_NUM_THREADS", "0")) or os.cpu_count() or 1


def filled(values: Array, start: int, size: int) -> Array:
    """`size` rows from `start` on; where there are too few, the last is repeated (its results are cut off again)."""
    part = as_numpy(values)[start : start + size]
    missing = size - len(part)
    return np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]) if missing else part
