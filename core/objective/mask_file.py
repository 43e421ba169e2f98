"""A region painted in a picture, as a target gives it."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import CrosslensError, TargetError
from ..image.io import _opened, load_image
from ..model.base import Model

__all__ = ["read_mask"]


def read_mask(path: str, model: Model) -> np.ndarray[Any, Any]:
    """The painted region (H, W), from 0 to 1, as this network sees it.

    A mask of the network's own size lies on its image as it is, and so does an array (H, W) from 0 to 1 in a .npy file;
    a picture of another size is resized and cut as `load_image` does to the photograph that it was painted on. Painted
    is what is brighter than half of the brightest pixel, what is not transparent where anything is, and any colour but
    the first of a palette.

    Raises:
        TargetError: no such file, or nothing that can be read as a mask.
    """
    try:
        if Path(path).suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False), np.float32)
        white = _in_white(path)
        if white.size == model.input.size[::-1]:
            return np.asarray(white, np.float32) / 255
        seen = load_image(white, size=model.input.size)
    except (CrosslensError, OSError, ValueError, EOFError) as error:
        raise TargetError(f"no mask can be read from '{path}': {error}") from error
    return np.asarray(seen[0, 0].clip(0, 1), np.float32)


def _in_white(path: str) -> Image.Image:
    """The picture with white where it is painted and black elsewhere."""
    picture = _opened(Path(path))
    if picture.mode == "P" and not picture.has_transparency_data:
        inside = np.asarray(picture) != 0
    elif picture.has_transparency_data and (alpha := np.asarray(picture.convert("RGBA"))[..., 3]).min() < 255:
        inside = alpha > 127
    else:
        grey = np.asarray(picture.convert("L") if picture.mode != "I;16" else picture, np.float64)
        inside = grey > grey.max() / 2
    return Image.fromarray(inside.astype(np.uint8) * 255)
