"""How many images at once: what the user said, or what fits into a fixed share of memory by the layers' own sizes."""

from collections.abc import Iterator

from .model import Model

__all__ = ["batch_limit", "slices"]

BUDGET = 2 << 30
"""Bytes that one batch's activations and gradients may take: 2 GiB."""
LARGEST = 8
"""More images at once gained little on any backend and cost torch a third of its speed (benchmarks/NOTES.md)."""


def batch_limit(model: Model) -> int:
    """Images that `model` takes at once: `model.batch_size`, or as many as fit into `BUDGET`, at most `LARGEST`."""
    if model.batch_size is not None:
        return model.batch_size
    return max(1, min(LARGEST, BUDGET // (2 * 4 * max(model.elements, 1))))


def slices(count: int, limit: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive runs of at most `limit` of `count` items.

    >>> list(slices(5, 2))
    [(0, 2), (2, 4), (4, 5)]
    """
    return ((start, min(start + limit, count)) for start in range(0, count, limit))
