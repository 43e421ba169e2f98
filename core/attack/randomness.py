"""Random numbers of attacks: a picture's own, whatever stands beside it in a batch, a shard or a framework."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from ..arrays import Array, array_bytes

__all__ = ["generators"]


def generators(images: Array, *seeds: int) -> Sequence["np.random.Generator"]:
    """A generator for each of the images (N, ...), seeded by these numbers and the image's values.

    The same picture gives the same numbers on every backend, alone or among others.
    """
    made: list[Any] = []
    for n in range(images.shape[0]):
        digest = blake2b(array_bytes(images[n, ...]), digest_size=16).digest()
        made.append(np.random.default_rng([*seeds, *np.frombuffer(digest, np.uint32).tolist()]))
    return made
