"""How many images at once: what the user said, or what fits into a fixed share of memory by the layers' own sizes."""

from collections.abc import Iterator

from .model import Model

__all__ = ["batch_limit", "slices"]

BUDGET = 2 << 30
"""Bytes that one batch's activations and gradients may take: 2 GiB."""


def batch_limit(model: Model) -> int:
    """Images at once: `model.batch_size`, or as many as fit into `BUDGET`, at most `model.largest_batch`."""
    if model.batch_size is not None:
        return model.batch_size
    return max(1, min(model.largest_batch, BUDGET // (2 * 4 * max(model.elements, 1))))


def slices(count: int, limit: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive runs of at most `limit` of `count` items, as few and as even as can be.

    >>> list(slices(5, 4))
    [(0, 3), (3, 5)]
    """
    parts = -(-count // limit)
    return ((-(-part * count // parts), -(-(part + 1) * count // parts)) for part in range(parts))
