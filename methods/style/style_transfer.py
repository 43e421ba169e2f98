"""Style transfer (Gatys, Ecker and Bethge 2016, "Image style transfer using convolutional neural networks")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import rectified_scales
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.operators import Size
from crosslens.optim.loop import LBFGS, Adam, Optimiser
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.jobs import make_pictures

from ._coordinates import COORDINATES
from ._pictures import COLOURS, check_colours, check_field, check_maps, style_pictures
from ._sizes import of_longer_side, sized, sizes_of
from ._transfer_jobs import TransferJobs

SCALES = 5
"""Gatys' style layers: one per resolution of VGG."""


@dataclass(frozen=True, kw_only=True)
class StyleTransfer(Method):
    """A picture with the content of one and the style of another: equations 1, 4, 5 and 7 of the paper.

    loss = content_weight * sum (F - P)^2 / 2 + style_weight * mean over layers of sum (G - A)^2 / (4 C^2 M^2), with
    F the picture's activations and P the content's, G the picture's Gram matrices and A the style's. If no style_weight
    is given, it is 1000 * strength * the content's loss / the style's, both at activations of zero.
    """

    name = "style_transfer"
    batched = False
    needs_target = False
    example: ClassVar = {"style": np.linspace(0, 1, 1728, dtype=np.float32).reshape(3, 24, 24), "steps": 3}
    style: Any = param(
        None,
        "picture whose style to take: a file, or an array (3, H, W) in [0, 1]; or several, as text with commas between",
    )
    blend: tuple[float, ...] | None = param(None, "share of each of several styles; equal ones if not given")
    content_layer: str | None = param(
        None, "layer to match; if not given, the second rectified one of the last scale but one"
    )
    style_layers: tuple[str, ...] | None = param(
        None, "layers for the style; if not given, the first rectified of each scale"
    )
    layer_weights: tuple[float, ...] | None = param(None, "w of equation 5, one per style layer; equal if not given")
    content_weight: float = param(1.0, "alpha of the paper's equation 7", search=(0.1, 10.0))
    style_weight: float | None = param(
        None, "beta of the paper's equation 7; if not given, `strength` decides, which means the same on any network"
    )
    strength: float = param(
        1.0, "of the style where no style_weight is given: more for textures, less for photographs", search=(0.1, 10.0)
    )
    parameterisation: str | None = param(
        None,
        "coordinates of the picture; if not given, the paper's pixels, or frequencies where the first layer strides",
        choices=COORDINATES,
    )
    colours: str = param("style", "whose colours the result has; two ways to keep the content's", choices=COLOURS)
    steps: int = param(100, "steps of the optimiser at each scale", minimum=1)
    size: int | None = param(
        None,
        "longer side of the picture in pixels, whatever the network takes; the picture's own if not given",
        minimum=1,
    )
    tile: int = param(512, "the network sees windows of at most this side, or of its own fixed size", minimum=1)
    scales: int = param(1, "from coarse to fine: the first is smaller than the picture by 2^(scales - 1)", minimum=1)
    optimiser: str = param("lbfgs", "how to descend", choices=("lbfgs", "adam"))
    learning_rate: float = param(0.02, "length of Adam's steps, in the parameterisation's unit", above=0)
    start: str = param("content", "picture to start from", choices=("content", "noise"))
    seed: int = param(0, "of the noise to start from", minimum=0)
    every: int | None = param(None, "keep a snapshot after every so many steps of the last scale", minimum=1)
    resume: Path | None = param(None, "go on from a run that was saved as .npz, up to `steps` in all")

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        if self.content_layer and self.style_layers:
            return {}
        whole = images if self.size is None else of_longer_side(images[:1, ...], self.size)
        size = sizes_of(self.scales, self.window, model, (whole.shape[-2], whole.shape[-1]))[-1]
        content, style = self.layers(model, sized(whole[:1, ...], self.window(model, size)))
        return {"content_layer": content, "style_layers": style}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each of `images`, of its size; history (steps, N) is the loss, the start's first."""
        check_colours(self.colours, images)
        images = images if self.size is None else of_longer_side(images, self.size)
        jobs = TransferJobs(self, model, images, [like(style, images) for style in style_pictures(self.style, model)])
        check_maps(model, jobs.layers[1])
        check_field(model, jobs.sample, jobs.layers[1], jobs.styles)
        return make_pictures(self, model, objective, jobs, images, progress)

    def takes_any_size(self) -> bool:
        """Where a size is asked for."""
        return self.size is not None

    def window(self, model: Model, size: Size) -> Size:
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
        if self.content_layer and self.style_layers:
            return self.content_layer, tuple(self.style_layers)
        scales = rectified_scales(model, images[:1, ...])[:SCALES]
        deep = scales[-2:][0]
        style = tuple(self.style_layers or [names[0] for names in scales])
        return self.content_layer or deep[min(1, len(deep) - 1)], style


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [StyleTransfer]
