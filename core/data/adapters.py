"""What a user has, a folder or an array, as a `Source`."""

from pathlib import Path
from typing import Any

from ..errors import ImageError
from .array_source import ArraySource
from .picture_folder import PictureFolder
from .source import Source

__all__ = ["data"]


def data(images: Any) -> Source:
    """Many images to run a method over.

    Args:
        images: a folder of pictures, classes as sub-folders; an array (N, C, H, W), float32 in the model's bounds,
            [0, 1] unless told; or a `Source`, which is returned as it is.

    >>> import numpy as np
    >>> data(np.zeros((2, 3, 8, 8), np.float32))
    <ArraySource: images (2, 3, 8, 8)>

    Raises:
        ImageError: not a folder, a folder without pictures, or something else.
    """
    if isinstance(images, Source):
        return images
    if isinstance(images, str | Path):
        return PictureFolder(images)
    if hasattr(images, "shape") and hasattr(images, "dtype"):
        return ArraySource(images)
    raise ImageError(
        f"{type(images).__name__} is not a source of images: give a folder of pictures, an array (N, C, H, W), or a "
        "crosslens.Source"
    )
