"""What a reader of an atlas must know of its positions and classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["left_out_note", "without_classes"]

Numbers = np.ndarray[Any, Any]


def left_out_note(sample: Mapping[str, Any], images: int) -> tuple[str, ...]:
    """A note where not all images have a position in the sample."""
    count, seen = len(sample["image"]), len(np.unique(sample["image"]))
    return (f"{count} positions, of {seen} of {images} images; count= takes more",) * (seen < images)


def without_classes(effects: Numbers, asked: int) -> tuple[str, ...]:
    """A note where more classes were asked for than there are, or there are none."""
    known = int(effects.shape[1])
    if known == 0 < asked:
        return ("no classes are named: the network's output has none, or sample was gathered with classes=0",)
    return (f"all {known} classes are named: there are no {asked}",) * bool(asked > known)
