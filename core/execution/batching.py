"""How many images at once: what the user said, or what fits into a fixed share of memory by the layers' own sizes."""

from collections.abc import Iterator

from ..model.base import Model
from ..model.repeatability import repeatability

__all__ = ["BOXES", "batch_limit", "box_limit", "slices"]

BUDGET = 2 << 30
"""Bytes that one batch's activations and gradients may take: 2 GiB."""


BOXES = 2
"""Boxes that hold no more memory than a whole image: of its maps less than half is computed again where stages pay."""
MOST_BOXES = 16
"""In the occlusion of a torch VGG-16 a box took 77 ms by twos, 43 by eights, 37 by sixteens (benchmarks/NOTES.md)."""


def batch_limit(model: Model) -> int:
    """Images at once: `model.batch_size`, or as many as fit into `BUDGET`, at most `model.largest_batch`.

    One for a network that mixes the images of a batch, or is random (`crosslens.model.repeatability`).
    """
    if repeatability(model).one_by_one:
        return 1
    return min(model.largest_batch, _fitting(model)) if model.batch_size is None else model.batch_size


def box_limit(model: Model, batch: int | None = None) -> int:
    """Boxes at once, of which crops are computed: as hold the memory of `batch` images, of as many as fit if None.

    `BOXES` for a whole image: without gradients eight of them are no slower than fewer on any backend. As in
    `batch_limit`, one image where images mix.
    """
    if repeatability(model).one_by_one:
        return BOXES
    batch = model.batch_size if batch is None else batch
    return min(MOST_BOXES, BOXES * _fitting(model)) if batch is None else BOXES * batch


def _fitting(model: Model) -> int:
    return max(1, BUDGET // (2 * 4 * max(model.elements, 1)))


def slices(count: int, limit: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive runs of at most `limit` of `count` items, as few and as even as can be.

    >>> list(slices(5, 4))
    [(0, 3), (3, 5)]
    """
    parts = -(-count // limit)
    return ((-(-part * count // parts), -(-(part + 1) * count // parts)) for part in range(parts))
