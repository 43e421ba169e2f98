"""Photographs that scikit-image ships, to compare pictures with."""

from typing import Any

import crosslens
import numpy as np

__all__ = ["photographs"]

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def photographs(size: tuple[int, int]) -> Any:
    """(4, 3, H, W), the middle of each."""
    from PIL import Image
    from skimage import data

    made = [crosslens.load_image(Image.fromarray(getattr(data, name)()), size=size) for name in PHOTOGRAPHS]
    return np.concatenate(made)
