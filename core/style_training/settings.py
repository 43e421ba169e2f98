"""The settings of a style network's training, with their meaning and their bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ..method.parameter import param
from ..method.parameter_group import ParameterGroup

__all__ = ["MAY_DIFFER", "StyleTrainingSettings"]

MAY_DIFFER = frozenset({"steps", "every"})
"""Settings that may differ from those of a training that is gone on with."""


@dataclass(frozen=True, kw_only=True)
class LossSettings(ParameterGroup):
    """What is minimised."""

    title = "loss"
    content_weight: float = param(1.0, "alpha, of the content's loss", minimum=0)
    style_weight: float | None = param(
        None, "beta, of the style's; if not given, `strength` decides, which means the same on any network", minimum=0
    )
    strength: float = param(
        0.003, "of the style where no style_weight is given, as in style_transfer: 0.006 for twice as much", above=0
    )
    tv_weight: float = param(
        0.0, "of the total variation: 1 where that of the photographs counts as much as their content", minimum=0
    )
    content_layer: str | None = param(
        None, "layer to match; if not given, the second rectified one of the last scale but one"
    )
    style_layers: tuple[str, ...] | None = param(
        None, "layers for the style; if not given, the first rectified of each scale"
    )


@dataclass(frozen=True, kw_only=True)
class NetworkSettings(ParameterGroup):
    """What is trained."""

    title = "network"
    norm: str = param(
        "instance",
        "normalisation: of each image, of the batch, or one scale and shift for each of several styles",
        choices=("instance", "batch", "conditional"),
    )
    adain: bool = param(False, "train a decoder for adaptive instance normalisation: any style, also a new one")
    width: int | None = param(
        None, "channels at full size, the others are multiples; if not given, 16, of a decoder 32", minimum=1
    )
    blocks: int | None = param(
        None, "residual blocks, 5 if not given; of a decoder convolutions at each size, 3 if not given", minimum=0
    )

    @property
    def shape(self) -> tuple[int, int]:
        """Width and blocks of the network."""
        width, blocks = (32, 3) if self.adain else (16, 5)
        return self.width or width, blocks if self.blocks is None else self.blocks


@dataclass(frozen=True, kw_only=True)
class StyleTrainingSettings(NetworkSettings, LossSettings):
    """All settings of `crosslens.train_style` but its data."""

    name: ClassVar = "train_style"
    presets: ClassVar[Mapping[str, str]] = {}
    steps: int = param(1000, "steps of Adam", minimum=1)
    batch: int | None = param(None, "photographs a step; if not given, 1, or 4 with batch normalisation", minimum=1)
    size: int | None = param(
        None, "side of the crops in pixels; if not given, what the loss network takes, or 256", minimum=8
    )
    learning_rate: float | None = param(
        None, "length of Adam's steps; if not given, 0.005, of a decoder, which is not normalised, 0.0005", above=0
    )
    seed: int = param(0, "of the weights to start from and of the crops", minimum=0)
    every: int | None = param(None, "keep the state, and a sample picture, after every so many steps", minimum=1)

    @property
    def rate(self) -> float:
        """The length of Adam's steps: at .005 a decoder's pictures turn white and stay so."""
        return self.learning_rate or (0.0005 if self.adain else 0.005)
