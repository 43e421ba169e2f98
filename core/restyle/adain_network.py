"""An encoder, AdaIN and a decoder as one picture network: any style picture in one pass (Huang and Belongie 2017)."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from ..arrays import Array, as_numpy, like
from ..errors import LayerError, ModelError
from ..model.base import OUTPUT, Model
from ..operators import Size
from ..synthesis.tiling import Tile
from .adain import EPSILON, Moments, adain, mixed_moments, moments
from .padding import reflect_to
from .picture_network import Pass, PictureNetwork

__all__ = ["AdaINNetwork"]


class AdaINNetwork(PictureNetwork):
    """T(c, s, a) = g((1 - a) f(c) + a AdaIN(f(c), f(s))): equations 10 and 14 of the paper."""

    def __init__(
        self,
        encoder: Model,
        layer: str,
        decoder: Model,
        styles: Sequence[Array],
        shares: Sequence[float],
        strength: float,
    ) -> None:
        """Look at the styles.

        Args:
            encoder: f, up to `layer`.
            layer: whose maps the decoder turns into pictures.
            decoder: g, a network that takes such maps.
            styles: pictures (1, C, H, W) in [0, 1], each of a size that the encoder takes.
            shares: of the styles, with a sum of 1.
            strength: a.

        Raises:
            LayerError: the encoder has no such layer, or it has no maps.
            ModelError: the decoder takes other maps.
        """
        self._encoder, self.layer, self._strength = encoder, encoder.layer(layer).name, strength
        channels = _channels(encoder, self.layer)
        self._decoder = _taking_features(decoder, channels, self.layer)
        height, width = encoder.input.shape[1:]
        self.sizes = height, width
        self.bytes_per_pixel = 2 * 4 * encoder.elements / prod(encoder.input.example_shape[1:])
        self._style = mixed_moments([moments(self._encode(style)) for style in styles], shares)

    def _encode(self, x: Array) -> Array:
        return self._encoder.forward(x, [self.layer])[self.layer]

    def _decode(self, maps: Array) -> Array:
        return self._decoder.forward(maps)[OUTPUT]

    def apply(self, x: Array) -> Array:
        maps = self._encode(x)
        return self._decode(adain(maps, self._style_at(maps), self._strength))

    def _style_at(self, maps: Array) -> Moments:
        return Moments(like(self._style.mean, maps), like(self._style.deviation, maps))

    def for_tiles(self, x: Array, tiles: Sequence[Tile], at_once: Size) -> tuple[Pass, tuple[str, ...]]:
        """With the moments of the whole picture, each position counted in the tile that it belongs to."""
        content = self._moments_of(x, tiles)

        def restyled(tile: Array) -> Array:
            maps = self._encode(tile)
            return self._decode(adain(maps, self._style_at(maps), self._strength, content))

        return restyled, ()

    def _moments_of(self, x: Array, tiles: Sequence[Tile]) -> Moments:
        whole = reflect_to(x, tiles[0].crop.size)
        count, total, squares = 0.0, np.zeros(1), np.zeros(1)
        for tile in tiles:
            maps = as_numpy(self._encode(tile.crop.apply(whole))).astype(np.float64)
            owned = tile.owns((maps.shape[2], maps.shape[3]))
            total = total + (owned * maps).sum(axis=(2, 3), keepdims=True)
            squares = squares + (owned * maps**2).sum(axis=(2, 3), keepdims=True)
            count += float(owned.sum())
        mean = total / count
        deviation = np.sqrt(squares / count - mean**2 + EPSILON)
        return Moments(like(mean, x), like(deviation, x))


def _channels(encoder: Model, layer: str) -> int:
    """The channels of a layer of maps.

    Raises:
        LayerError: it has none.
    """
    shape = encoder.layer(layer).shape
    if len(shape) != 4 or shape[1] is None:
        raise LayerError(f"layer {layer!r} gives {shape}; AdaIN needs maps (N, C, H, W): `crosslens layers` lists them")
    return int(shape[1])


def _taking_features(decoder: Model, channels: int, layer: str) -> Model:
    """The decoder as a network of features without bounds, which are no picture's.

    Raises:
        ModelError: it takes other features.
    """
    takes, gives = decoder.input.shape, decoder.layers[OUTPUT].shape[1:]
    if len(takes) != 3 or takes[0] not in {channels, None} or len(gives) != 3 or gives[0] not in {1, 3, None}:
        raise ModelError(
            f"the decoder takes {takes} and gives {gives}, but layer {layer!r} of the encoder gives {channels} "
            "channels: give the layer that the decoder was trained on"
        )
    return decoder._copy(input=replace(decoder.input, bounds=None))
