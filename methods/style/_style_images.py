"""The pictures of a style transfer: reading styles, checking their size, keeping the content's colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.errors import LayerError, ParameterError
from crosslens.image.io import load_image
from crosslens.method.unit_range import images_for
from crosslens.model import INPUT, Linearization, Model

COLOURS = ("style", "luminance", "matched")
"""Whose colours the result has: the style's; the content's, only its luminance being changed; or the content's, to
which the style's were matched (Gatys, Bethge, Hertzmann and Shechtman 2016, "Preserving color")."""
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


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
        grey = model.input.shape[0] == 1
        picture = load_image(style)
        return luminance(picture)[:, :1, ...] if grey else picture
    if style is None or not hasattr(style, "ndim"):
        raise ParameterError(
            f"style is {style!r}; style_transfer needs a picture: style='starry_night.jpg', or an array"
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


def check_colours(colours: str, images: Array) -> None:
    """Refuse to keep colours where pictures have none.

    Raises:
        ParameterError: with the number of channels.
    """
    if colours != "style" and images.shape[1] != 3:
        raise ParameterError(f"colours is {colours!r}, but these pictures have {images.shape[1]} channel, not three")


def check_maps(model: Model, layers: Sequence[str]) -> None:
    """Refuse style layers without maps.

    Raises:
        LayerError: which one.
    """
    for name in layers:
        shape = model.layer(name).shape
        if len(shape) not in {3, 4}:
            raise LayerError(
                f"style layer {name!r} gives {shape}; a style needs maps (N, C, H, W), before any pooling to one"
            )


def match_colours(style: Array, content: Array) -> Array:
    """The style with the content's mean and covariance of colours, by square roots as the paper does, clipped."""
    s, c = (as_numpy(x)[0].reshape(x.shape[1], -1).astype(np.float64) for x in (style, content))
    move = _root(np.cov(c)) @ _root(np.cov(s), -0.5)
    pixels = move @ (s - s.mean(axis=1, keepdims=True)) + c.mean(axis=1, keepdims=True)
    return like(pixels.reshape(as_numpy(style).shape).clip(0, 1).astype(np.float32), style)


def _root(covariance: Any, power: float = 0.5) -> Any:
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    return (vectors * np.maximum(values, 1e-8) ** power) @ vectors.T


def luminance(picture: Array) -> Array:
    """The luminance of (1, 3, H, W) in all three channels."""
    luma = np.tensordot(_YIQ[0], as_numpy(picture)[0], axes=1)
    return like(np.repeat(luma[None, None], 3, axis=1).astype(np.float32), picture)


def with_colours_of(made: Array, content: Array) -> Array:
    """The luminance of `made` with the content's colours (I and Q of YIQ), clipped to [0, 1]."""
    y = np.tensordot(_YIQ[0], as_numpy(made)[0].astype(np.float64), axes=1)
    yiq = np.tensordot(_YIQ, as_numpy(content)[0].astype(np.float64), axes=1)
    rgb = np.tensordot(np.linalg.inv(_YIQ), np.concatenate([y[None], yiq[1:]]), axes=1)
    return like(rgb.clip(0, 1).astype(np.float32)[None], made)
