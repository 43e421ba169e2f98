"""The colours of a style transfer: the content's, kept in one of two ways."""

from typing import Any

import numpy as np
from crosslens.arrays import Array, as_numpy, like
from crosslens.errors import ParameterError

COLOURS = ("style", "luminance", "matched")
"""Whose colours the result has: the style's; the content's, only its luminance being changed; or the content's, to
which the style's were matched (Gatys, Bethge, Hertzmann and Shechtman 2016, "Preserving color")."""
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def check_colours(colours: str, images: Array) -> None:
    """Refuse to keep colours where pictures have none.

    Raises:
        ParameterError: with the number of channels.
    """
    if colours != "style" and images.shape[1] != 3:
        raise ParameterError(f"colours is {colours!r}, but these pictures have {images.shape[1]} channel, not three")


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
