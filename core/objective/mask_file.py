"""Reading a mask, a region painted in a picture, from a file that a target names."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..errors import ImageError, TargetError
from ..image.decoding import decoding, open_picture
from ..image.io import load_image
from ..limits.regular_file import check_regular_file
from ..model.base import Model
from ..reading.array_file import NUMBERS, read_npy

__all__ = ["read_mask"]


def read_mask(path: str, model: Model) -> np.ndarray[Any, Any]:
    """The mask in a file, values from 0 to 1, shape (H, W), laid over the image as this network sees it.

    A .npy file holds it as an array. A picture of the network's input size is taken as it is; one of another size is
    resized and cropped as `load_image` does with the photograph that it was painted on. Which pixels are painted: in a
    picture with transparency those that are not transparent; with a palette, all but its first colour; else those
    brighter than half of the brightest pixel.

    Raises:
        TargetError: no such file, or it cannot be read as a mask.
    """
    check_regular_file(path, TargetError, "mask")
    try:
        if Path(path).suffix == ".npy":
            return np.asarray(read_npy(path, NUMBERS), np.float32)
        picture = _in_black_and_white(path)
        if picture.size == model.input.size[::-1]:
            return np.asarray(picture, np.float32) / 255
        fitted = load_image(picture, size=model.input.size)
    except (ImageError, ValueError) as error:
        raise TargetError(f"cannot read a mask from '{path}': {error}") from error
    return np.asarray(fitted[0, 0].clip(0, 1), np.float32)


def _in_black_and_white(path: str) -> Image.Image:
    """The picture, white where it is painted and black elsewhere."""
    picture = open_picture(Path(path))
    with decoding(path):
        return _painted(picture)


def _painted(picture: Image.Image) -> Image.Image:
    if picture.mode == "P" and not picture.has_transparency_data:
        painted = np.asarray(picture) != 0
    elif picture.has_transparency_data and (alpha := np.asarray(picture.convert("RGBA"))[..., 3]).min() < 255:
        painted = alpha > 127
    else:
        grey = np.asarray(picture.convert("L") if picture.mode != "I;16" else picture, np.float64)
        painted = grey > grey.max() / 2
    return Image.fromarray(painted.astype(np.uint8) * 255)
