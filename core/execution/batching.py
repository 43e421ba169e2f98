"""How many images or boxes go through a network at once: what the user set, or what fits into a memory budget."""

from collections.abc import Iterator

from ..model.base import Model
from ..model.repeatability import repeatability

__all__ = ["BOXES_PER_IMAGE", "batch_limit", "box_limit", "forward_limit", "slices"]

BUDGET = 2 << 30
"""Bytes that one batch's activations and gradients may take: 2 GiB."""
BOXES_PER_IMAGE = 2
"""Boxes that take no more memory than a whole image: stages pay where less than half of its maps is computed again."""
MAX_BOXES = 16
"""Occluding a torch VGG-16 took 77 ms a box by twos, 43 by eights, 37 by sixteens (benchmarks/NOTES.md)."""
FORWARD_ELEMENTS = 16 << 20
"""Activations up to which forward passes of more images at once are faster, on one thread: a small network on MNIST
took 259 us an image by eights, 115 by 256, in torch; EfficientNet-Lite0 is no faster by eights than by fours."""
MAX_FORWARD = 256


def batch_limit(model: Model) -> int:
    """Images at once: `model.batch_size`, or as many as fit into `BUDGET`, at most `model.largest_batch`.

    One for a network that mixes the images of a batch, or is random (`crosslens.model.repeatability`).
    """
    if repeatability(model).one_by_one:
        return 1
    return min(model.largest_batch, _images_in_budget(model)) if model.batch_size is None else model.batch_size


def forward_limit(model: Model) -> int:
    """Images at once where a sweep runs over many: as `batch_limit`, but more of a small network, up to `MAX_FORWARD`.

    It depends on the model and its settings alone, so that sums have the same last bits wherever a sweep runs.
    """
    if model.batch_size is not None or repeatability(model).one_by_one:
        return batch_limit(model)
    fast = min(MAX_FORWARD, FORWARD_ELEMENTS // max(model.elements, 1))
    return min(max(model.largest_batch, fast), _images_in_budget(model))


def box_limit(model: Model, batch: int | None = None) -> int:
    """Boxes at once when crops are computed: as many as take the memory of `batch` images; None: of those that fit.

    That is `BOXES_PER_IMAGE` for each. `model.largest_batch` does not count: without gradients, eight images are no
    slower than fewer on any backend. A network that mixes the images of a batch, or is random, takes one image.
    """
    if repeatability(model).one_by_one:
        return BOXES_PER_IMAGE
    batch = model.batch_size if batch is None else batch
    if batch is None:
        return min(MAX_BOXES, BOXES_PER_IMAGE * _images_in_budget(model))
    return BOXES_PER_IMAGE * batch


def _images_in_budget(model: Model) -> int:
    """As many as have room for the float32 activations of all layers, and as many gradients; at least one."""
    return max(1, BUDGET // (2 * 4 * max(model.elements, 1)))


def slices(count: int, limit: int) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive slices of at most `limit` of `count` items, as few and as even as possible.

    >>> list(slices(5, 4))
    [(0, 3), (3, 5)]
    """
    parts = -(-count // limit)
    return ((-(-part * count // parts), -(-(part + 1) * count // parts)) for part in range(parts))
