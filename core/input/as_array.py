"""What is no picture and no file as an array: NumPy's, torch's, TensorFlow's, or whatever NumPy can read."""

from typing import Any

import numpy as np
from array_api_compat import is_array_api_obj, is_numpy_array, is_torch_array

from ..arrays import Array
from ..errors import ImageError

__all__ = ["as_array"]


def as_array(images: Any) -> Array:
    """The same as an array that follows the array API: itself, without gradients, or what NumPy reads it as.

    Raises:
        ImageError: NumPy cannot read it as numbers.
    """
    if is_torch_array(images):
        return images.detach() if images.requires_grad else images
    if isinstance(images, np.ma.MaskedArray):
        raise ImageError("images are a masked array; give its pixels without the mask: images.filled(0)")
    if is_array_api_obj(images) and not is_numpy_array(images):
        return images
    try:
        array = (
            np.asarray(images)
            if not hasattr(images, "__dlpack__") or hasattr(images, "__array__")
            else np.from_dlpack(images)
        )
    except (TypeError, ValueError, RuntimeError, NotImplementedError, BufferError) as error:
        raise ImageError(
            f"images are {type(images).__name__}, which NumPy cannot read as an array ({error})"
        ) from error
    if array.dtype.kind not in "biufcV" or array.dtype.names or not array.ndim:
        raise ImageError(
            f"images are {type(images).__name__}, not an array of numbers: give an array, a file, one of Pillow's "
            "images, or a list of such"
        )
    return array
