"""Style pictures: reading them, their size, and the refusal of one that shows too little texture."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Array, as_numpy, like
from ..errors import ParameterError
from ..image.io import load_image
from ..method.unit_range import images_for
from ..model.base import INPUT, Linearization, Model
from ..operators import Crop, Resize, Size

__all__ = ["check_field", "resize_and_crop", "style_pictures"]

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601."""


def style_pictures(style: Any, model: Model) -> list[Array]:
    """Each style as (1, C, H, W) in [0, 1], of its own size.

    Raises:
        ParameterError: no style, or an array that is not a picture.
        ImageError: a file that cannot be read.
    """
    if isinstance(style, str) and "," in style and not Path(style).exists():
        style = [name.strip() for name in style.split(",")]
    several = style if isinstance(style, list | tuple) and style else [style]
    return [_read_style(one, model) for one in several]


def _read_style(style: Any, model: Model) -> Array:
    if isinstance(style, str | Path):
        picture = load_image(style)
        grey = model.input.shape[0] == 1
        return np.tensordot(_LUMA, picture[0], axes=1)[None, None].astype(np.float32) if grey else picture
    if style is None or not hasattr(style, "ndim"):
        raise ParameterError(
            f"style is {style!r}; a style is a picture: style='starry_night.jpg', or an array (3, H, W)"
        )
    picture = style[None, ...] if style.ndim == 3 else style
    if picture.ndim != 4 or picture.shape[0] != 1:
        raise ParameterError(f"style has shape {tuple(style.shape)}; it must be one picture, (3, H, W) in [0, 1]")
    return images_for(model, picture)


def check_field(model: Model, content: Array, layers: Sequence[str], styles: Sequence[Array]) -> None:
    """Refuse a style smaller than the receptive field of the deepest style layer: it shows too little texture.

    The field is measured on the content: where the gradient of a position near the layer's middle is not zero.

    Args:
        model: gives the gradients.
        content: (1, C, H, W).
        layers: the style layers.
        styles: pictures (1, C, h, w).

    Raises:
        ParameterError: with the field and the picture's size, and what would help.
    """
    order = list(model.layers)
    deepest = max(layers, key=lambda name: order.index(model.layer(name).name))
    with model.linearize(content, [deepest]) as at:
        maps = at.activations[deepest]
        field = max(_extent(at, deepest, as_numpy(maps).shape, maps, shift) for shift in (-1, 0, 1))
    for style in styles:
        if min(style.shape[-2:]) < field:
            raise ParameterError(
                f"a style of {style.shape[-2]} x {style.shape[-1]} pixels is smaller than the {field} pixels that one "
                f"position of layer {deepest!r} sees: give a larger picture, or style_layers without the deepest"
            )


def _extent(at: Linearization, layer: str, shape: tuple[int, ...], maps: Array, shift: int) -> int:
    """Pixels, along the longer side, that one position near the layer's middle depends on."""
    unit = np.zeros(shape, np.float32)
    if len(shape) == 4:
        y, x = (min(max(n // 2 + shift, 0), n - 1) for n in shape[2:])
        unit[:, :, y, x] = 1
    else:
        unit[:, min(max(shape[1] // 2 + shift, 0), shape[1] - 1)] = 1
    seen = (as_numpy(at.vjp({layer: like(unit, maps)})[INPUT]) != 0).any(axis=(0, 1))
    return max(int(np.ptp(np.flatnonzero(seen.any(axis=axis)))) + 1 for axis in (0, 1)) if seen.any() else 0


def resize_and_crop(picture: Array, size: Size) -> Array:
    """A picture scaled, sides in proportion, until it covers a size, and cropped to its middle."""
    height, width = picture.shape[-2:]
    scale = max(size[0] / height, size[1] / width)
    enlarged = max(size[0], round(height * scale)), max(size[1], round(width * scale))
    return (Resize((height, width), enlarged) >> Crop.centre(enlarged, size)).apply(picture)
