"""Random keys of the positions of images: those with the smallest ones are a sample that depends on nothing but ids."""

from hashlib import blake2b
from typing import Any

import numpy as np

__all__ = ["image_key", "position_keys"]

Numbers = np.ndarray[Any, Any]


def image_key(seed: int, name: str) -> int:
    """64 bits of an image's id."""
    return int.from_bytes(blake2b(f"{seed}\0{name}".encode(errors="surrogateescape"), digest_size=8).digest(), "little")


def position_keys(start: Numbers, positions: Numbers) -> Numbers:
    """The keys of positions (n,) of images (N, 1): outputs of SplitMix64 (Steele et al. 2014) from `start`."""
    key = start + (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(key ^ (key >> np.uint64(31)))
