"""The sizes of a style transfer: resizing pictures to them, and the sizes of the scales from coarse to fine."""

from collections.abc import Callable

from crosslens.arrays import Array
from crosslens.errors import ParameterError
from crosslens.model import Model
from crosslens.operators import Resize, Size
from crosslens.style_training.style_pictures import resize_and_crop


def at_size(picture: Array, size: Size) -> Array:
    """The picture at this size; itself where it has it."""
    return picture if tuple(picture.shape[-2:]) == size else resize_and_crop(picture, size)


def scale_sizes(scales: int, tile_size: Callable[[Model, Size], Size], model: Model, size: Size) -> list[Size]:
    """(H, W) of each scale, the coarsest first.

    Args:
        scales: how many; each has half the sides of the next.
        tile_size: from the model and a picture's size to (H, W) of the tiles that the model sees.
        model: for the message.
        size: (H, W) of the finest.

    Raises:
        ParameterError: the coarsest size is smaller than the one size that the model takes.
    """
    sizes = [(max(1, size[0] >> n), max(1, size[1] >> n)) for n in reversed(range(scales))]
    if any(side < seen for side, seen in zip(sizes[0], tile_size(model, sizes[0]), strict=True)):
        raise ParameterError(
            f"scales is {scales} and the coarsest picture {sizes[0]}, but this model takes pictures "
            f"{model.input.shape[1:]}: give a larger size, or fewer scales"
        )
    return sizes


def resize_longer_side(images: Array, side: int) -> Array:
    """Pictures (N, C, H, W) with this longer side, their shape kept."""
    height, width = images.shape[-2:]
    share = side / max(height, width)
    to = max(1, round(height * share)), max(1, round(width * share))
    return Resize((height, width), to).apply(images)
