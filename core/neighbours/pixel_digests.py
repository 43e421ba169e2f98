"""Digests of images' pixels: equal where two images are the same to the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from ..arrays import Array, as_numpy
from ..data.rows import Rows
from ..data.statistic import Batch

__all__ = ["PixelDigests"]

SIZE = 16
"""Bytes of a digest."""


@dataclass(frozen=True)
class PixelDigests(Rows):
    """A digest of each image's pixels, as the model takes them."""

    dtype = np.uint8

    @property
    def shape(self) -> Sequence[int]:
        return (SIZE,)

    def rows(self, batch: Batch) -> Array:
        digests = [blake2b(image.tobytes(), digest_size=SIZE).digest() for image in as_numpy(batch.samples.images)]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, SIZE)
