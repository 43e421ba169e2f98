"""The parameters of a style transfer, grouped by idea, and the layers, sizes and optimiser that they decide."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from crosslens.arrays import Array
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.model import Model
from crosslens.operators import Size
from crosslens.optim.adam import Adam
from crosslens.optim.base import Optimiser
from crosslens.optim.lbfgs import LBFGS
from crosslens.style_training.style_loss import style_layers
from crosslens.synthesis.picture_method import PictureMethod

from ._parameterisation import COORDINATES
from ._style_images import COLOURS


@dataclass(frozen=True, kw_only=True)
class ContentOptions(ParameterGroup):
    """What of the content is kept."""

    title = "content"
    content_layer: str | None = param(
        None, "layer to match; if not given, the second rectified one of the last scale but one"
    )
    content_weight: float = param(1.0, "alpha of the paper's equation 7", search=(0.1, 10.0))
    colours: str = param("style", "whose colours the result has; two ways to keep the content's", choices=COLOURS)
    start: str = param("content", "picture to start from", choices=("content", "noise"))


@dataclass(frozen=True, kw_only=True)
class StyleOptions(ParameterGroup):
    """Whose style, of which layers, and how much of it."""

    title = "style"
    style: Any = param(
        None,
        "picture whose style to take: a file, or an array (3, H, W) in [0, 1]; or several, as text with commas between",
    )
    blend: tuple[float, ...] | None = param(None, "share of each of several styles; equal ones if not given")
    style_layers: tuple[str, ...] | None = param(
        None, "layers for the style; if not given, the first rectified of each scale"
    )
    layer_weights: tuple[float, ...] | None = param(None, "w of equation 5, one per style layer; equal if not given")
    style_weight: float | None = param(
        None, "beta of the paper's equation 7; if not given, `strength` decides, which means the same on any network"
    )
    strength: float = param(
        1.0, "of the style where no style_weight is given: more for textures, less for photographs", search=(0.1, 10.0)
    )


@dataclass(frozen=True, kw_only=True)
class PictureOptions(ParameterGroup):
    """The size of the picture, and its coordinates."""

    title = "picture"
    parameterisation: str | None = param(
        None,
        "coordinates of the picture; if not given, the paper's pixels, or frequencies where the first layer strides",
        choices=COORDINATES,
    )
    size: int | None = param(
        None,
        "longer side of the picture in pixels, whatever the network takes; the picture's own if not given",
        minimum=1,
    )
    tile: int = param(512, "the network sees tiles of at most this side, or of its own fixed size", minimum=1)
    scales: int = param(1, "from coarse to fine: the first is smaller than the picture by 2^(scales - 1)", minimum=1)


@dataclass(frozen=True, kw_only=True)
class DescentOptions(ParameterGroup):
    """How to descend."""

    title = "run"
    optimiser: str = param("lbfgs", "how to descend", choices=("lbfgs", "adam"))
    learning_rate: float = param(0.02, "length of Adam's steps, in the parameterisation's unit", above=0)


@dataclass(frozen=True, kw_only=True)
class TransferOptions(DescentOptions, PictureOptions, StyleOptions, ContentOptions, PictureMethod):
    """All parameters of a style transfer."""

    steps: int = param(100, "steps of the optimiser at each scale", minimum=1)
    seed: int = param(0, "of the noise to start from", minimum=0)
    every: int | None = param(None, "keep a snapshot after every so many steps of the last scale", minimum=1)

    def tile_size(self, model: Model, size: Size) -> Size:
        """(H, W) of what the network sees of a picture at once."""
        height, width = (fixed or min(n, self.tile) for n, fixed in zip(size, model.input.shape[1:], strict=True))
        return height, width

    def optimiser_within(self, bounds: tuple[float, float] | None) -> Optimiser:
        """The optimiser asked for, within bounds.

        Raises:
            ParameterError: no such optimiser.
        """
        known: Mapping[str, Optimiser] = {
            "lbfgs": LBFGS(bounds=bounds),
            "adam": Adam(self.learning_rate, bounds=bounds),
        }
        return known[self.optimiser]

    def layers(self, model: Model, images: Array) -> tuple[str, tuple[str, ...]]:
        """The content layer and the style layers, as named or by Gatys' pattern: conv4_2, and conv1_1 to conv5_1."""
        return style_layers(model, images[:1, ...], self.content_layer, self.style_layers)
