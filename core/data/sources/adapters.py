"""What a user has, in memory or by name, as a `Source`."""

import os
from collections.abc import Iterator
from typing import Any

from ..source import Source
from .array_source import ArraySource
from .contents import is_array
from .item_list import item_list
from .named import named_source, refuse_fitting
from .objects.object_source import object_source

__all__ = ["data"]


def data(images: Any, *, resize: str | None = None, crop: float | None = None) -> Source:
    """Many images to run a method over.

    Args:
        images: a folder of pictures, classes as sub-folders; the path of another file or folder that holds images, of
            one with masks as `concept_data` takes it, too; a list of files, Pillow's images or arrays of any size; an
            array (N, C, H, W), float32 in the model's bounds, [0, 1] unless told, or (N, H, W, C), or of another type
            such as uint8, as a method converts them; any of these with labels, (images, labels); or a `Source`, which
            is returned as it is.
        resize: how pictures get to the model's size, as `crosslens.load_image` says; arrays have their pixels already.
        crop: of pictures, the share of the short side that is kept.

    >>> import numpy as np
    >>> data(np.zeros((2, 3, 8, 8), np.float32))
    <ArraySource: images (2, 3, 8, 8)>

    Raises:
        ImageError: nothing that holds images, with what would be right.
    """
    if isinstance(images, str | os.PathLike):
        source = named_source(os.fspath(images), data, resize=resize, crop=crop)
        source.named = (os.fspath(images), resize, crop)
        return source
    if isinstance(images, list | tuple | Iterator):
        return item_list(images, resize=resize, crop=crop)
    if not isinstance(images, Source) and not is_array(images):
        return object_source(images, resize=resize, crop=crop)
    refuse_fitting(resize, crop)
    return images if isinstance(images, Source) else ArraySource(images)
