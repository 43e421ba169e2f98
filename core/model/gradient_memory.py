"""What gradients at large images need: refused before the work where it is more than the limit of memory leaves."""

from math import prod
from typing import Any

from ..limits.memory import check_memory

__all__ = ["check_gradient_memory"]

LARGE = 1 << 22
"""Numbers in a batch of images up to which nothing is asked: 28 images of 224 x 224 pixels."""


def check_gradient_memory(model: Any, x: Any) -> None:
    """Refuse images whose activations alone would not fit; gradients need all of them at once.

    Args:
        model: a `BackendModel`, whose layers are known at images of its usual size.
        x: images (N, *shape), of that shape or, where the network takes any size, of another.

    Raises:
        MemoryLimitError: with the size of the images, and what would be smaller.
    """
    numbers = prod(x.shape)
    if numbers <= LARGE:
        return
    activations = model.elements * numbers / max(prod(model.input.example_shape), 1)
    count, _, *sides = x.shape
    images = f"{count} images of" if count > 1 else "an image of"
    smaller = "fewer images at once (batch_size=1), or smaller ones" if count > 1 else "a smaller image"
    check_memory(
        int(4 * (activations + 2 * numbers)),
        f"the gradient at {images} {' x '.join(map(str, sides)) or numbers} pixels",
        f"give {smaller}: --resize short, crosslens.load_image(..., like=model) or size=(H, W)",
    )
