"""What a user has, a folder or an array, as a `Source`."""

from pathlib import Path
from typing import Any

from ..errors import ImageError
from .array_source import ArraySource
from .picture_folder import PictureFolder
from .source import Source

__all__ = ["data"]


def data(images: Any, *, resize: str | None = None, crop: float | None = None) -> Source:
    """Many images to run a method over.

    Args:
        images: a folder of pictures, classes as sub-folders; an array (N, C, H, W), float32 in the model's bounds,
            [0, 1] unless told, or (N, H, W, C), or of another type such as uint8, as a method converts them; or a
            `Source`, which is returned as it is.
        resize: of a folder, how pictures get to the model's size, as `crosslens.load_image` says.
        crop: of a folder, the share of the short side that is kept.

    >>> import numpy as np
    >>> data(np.zeros((2, 3, 8, 8), np.float32))
    <ArraySource: images (2, 3, 8, 8)>

    Raises:
        ImageError: not a folder, a folder without pictures, or something else.
    """
    if isinstance(images, str | Path):
        return PictureFolder(images, resize=resize, crop=crop)
    if resize is not None or crop is not None:
        raise ImageError("resize and crop are for a folder of pictures; arrays and sources have their pixels already")
    if isinstance(images, Source):
        return images
    if hasattr(images, "shape") and hasattr(images, "dtype"):
        return ArraySource(images)
    if isinstance(images, list | tuple):
        raise ImageError(
            "a list is not a source of images: crosslens.load_image(images, like=model) makes an array of files and "
            "Pillow's images; or give the folder that they are in"
        )
    raise ImageError(
        f"{type(images).__name__} is not a source of images: give a folder of pictures, an array (N, C, H, W), or a "
        "crosslens.Source"
    )
