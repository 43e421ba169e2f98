"""The parameters of `restyle`, grouped by idea, and the network that they decide."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from crosslens.arrays import Array, like
from crosslens.errors import ParameterError
from crosslens.method import Method, param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.method.unit_range import UnitRange
from crosslens.model import Model
from crosslens.model.other_inputs import STYLE_WEIGHTS, with_inputs
from crosslens.plugins.lookup import from_factory
from crosslens.plugins.wrap import wrap
from crosslens.restyle.adain_network import AdaINNetwork
from crosslens.restyle.padding import reflect_to, rounded_up
from crosslens.restyle.picture_network import OnePass, PictureNetwork
from crosslens.style_training.style_loss import normalised_weights
from crosslens.style_training.style_pictures import resize_and_crop, style_pictures

from ._sizes import resize_longer_side
from ._style_shares import style_shares

COLOURS = ("style", "content")
LARGEST_STYLE = 1024
"""Longer side, in pixels, to which larger style pictures are reduced."""
LEAST = 32


@dataclass(frozen=True, kw_only=True)
class Styles(ParameterGroup):
    """Which styles, and how much of them."""

    title = "style"
    styles: str | None = param(
        None, "of a network of many: numbers from 0 on with shares, 7 or 3:0.7,7:0.3; what the model holds if not given"
    )
    strength: float = param(1.0, "0 for the picture itself, 1 for the style alone", minimum=0, maximum=1)
    colours: str = param("style", "whose the result has; content: only the luminance is the style's", choices=COLOURS)


@dataclass(frozen=True, kw_only=True)
class Features(ParameterGroup):
    """Any style picture, by a decoder of the model's features."""

    title = "AdaIN"
    decoder: Any = param(
        None, "network that makes pictures of the features of the model, which is then an encoder; a file or a Model"
    )
    features: str | None = param(None, "layer that the decoder was trained on; if not given, what its file says")
    style: Any = param(
        None, "picture whose style to take: a file, or an array (3, H, W) in [0, 1]; or several, as text with commas"
    )
    blend: tuple[float, ...] | None = param(None, "share of each of several style pictures; equal ones if not given")


@dataclass(frozen=True, kw_only=True)
class RestyleOptions(Features, Styles, Method):
    """All parameters of `restyle`."""

    tile: int | None = param(
        None, "side of the tiles of large pictures in pixels; if not given, 512 where memory asks for tiles", minimum=32
    )
    output_range: tuple[float, float] | None = param(
        None, "least and largest value of the network's output; 0 and 1 if not given"
    )

    def check_parameters(self) -> None:
        super().check_parameters()
        needless = [name for name in ("features", "style", "blend") if getattr(self, name) is not None]
        if self.decoder is None and needless:
            raise ParameterError(
                f"{needless[0]} is for AdaIN, with a decoder of the model's features: give decoder='decoder.onnx'"
                + ", or styles='3' for a style of a network of many" * (needless[0] != "features")
            )
        if self.decoder is not None and self.styles is not None:
            raise ParameterError(
                "styles are those of one network of many, and AdaIN takes style pictures: leave one out"
            )
        if self.decoder is not None and self.style is None:
            raise ParameterError("decoder is given without style, a picture: style='wave.jpg'")
        if self.output_range is not None and not self.output_range[0] < self.output_range[1]:
            raise ParameterError(f"output_range is {self.output_range}; it is the lower number and the larger, 0,255")

    def network(self, model: Model, images: Array) -> PictureNetwork:
        """What makes a picture of a picture.

        Raises:
            CrosslensError: the model, the decoder, a layer, a style or a share does not fit.
        """
        if self.decoder is None:
            return OnePass(self.with_styles(model), self.output_range)
        styles = [self._fit_style(model, like(style, images)) for style in style_pictures(self.style, model)]
        shares = normalised_weights("blend", self.blend, len(styles), "style pictures")
        decoder = decoder_of(self.decoder)
        return AdaINNetwork(model, self.features or recorded_layer(decoder), decoder, styles, shares, self.strength)

    def _fit_style(self, model: Model, style: Array) -> Array:
        """A style picture at a size that the encoder takes."""
        height, width = model.input.shape[1:]
        if height is not None and width is not None:
            return resize_and_crop(style, (height, width))
        small = resize_longer_side(style, LARGEST_STYLE) if max(style.shape[-2:]) > LARGEST_STYLE else style
        return reflect_to(small, rounded_up((small.shape[-2], small.shape[-1]), 1, LEAST))

    def with_styles(self, model: Model) -> Model:
        """The model with the shares of `styles` in its input `style_weights`; itself where none are given."""
        if self.styles is None:
            return model
        inner = model.model if isinstance(model, UnitRange) else model
        if (held := inner.fixed_inputs.get(STYLE_WEIGHTS)) is None:
            raise ParameterError(
                f"styles is {self.styles!r}, and this network has no input {STYLE_WEIGHTS!r} to choose among styles: "
                "leave it out"
            )
        held = np.asarray(held)
        weights = style_shares(self.styles, held.shape[-1]).reshape(held.shape)
        made = with_inputs(inner, {STYLE_WEIGHTS: weights})
        return UnitRange(made) if isinstance(model, UnitRange) else made


def decoder_of(network: Any) -> Model:
    """A decoder as a model, from whatever `crosslens.wrap` takes: features need no preprocessing."""
    spec = network if isinstance(network, str) and ":" in network else "demo:"
    if not spec.startswith("demo:") and not Path(spec).exists():
        network = from_factory(spec)
    return network if isinstance(network, Model) else wrap(network, preprocess=None)


def recorded_layer(decoder: Model) -> str:
    """The encoder's layer that a decoder was trained on, as its file says.

    Raises:
        ParameterError: it does not say it.
    """
    style = decoder.origin.carried.style if decoder.origin.carried else None
    if style is None or style.layer is None:
        raise ParameterError(
            "the decoder's file does not say on which layer it was trained: features='block4_conv1' for example"
        )
    return str(style.layer)
