"""Images in memory: which objects are arrays, and a digest of what an image holds."""

from hashlib import blake2b
from typing import Any

from PIL import Image

from ...arrays import array_bytes, as_numpy

__all__ = ["content_digest", "is_array"]


def is_array(value: Any) -> bool:
    """Whether it is an array or a tensor with values: NumPy's, or another framework's."""
    return hasattr(value, "shape") and hasattr(value, "dtype")


def content_digest(image: Any) -> bytes:
    """16 bytes of the pixels of one of Pillow's images or of an array, with what they mean."""
    if isinstance(image, Image.Image):
        state = blake2b(f"{image.mode}{image.size}{image.getpalette()}".encode(), digest_size=16)
        state.update(image.tobytes())
        return state.digest()
    values = as_numpy(image)
    state = blake2b(f"{values.dtype}{values.shape}".encode(), digest_size=16)
    state.update(array_bytes(values))
    return state.digest()
