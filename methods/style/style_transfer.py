"""Style transfer (Gatys, Ecker and Bethge 2016, "Image style transfer using convolutional neural networks")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.execution.progress import Progress
from crosslens.method import Method
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.style_training.style_loss import check_maps
from crosslens.style_training.style_pictures import check_field, style_pictures
from crosslens.synthesis.jobs import make_pictures

from ._parameters import TransferOptions
from ._sizes import at_size, resize_longer_side, scale_sizes
from ._style_images import check_colours
from ._transfer_jobs import TransferJobs


@dataclass(frozen=True, kw_only=True)
class StyleTransfer(TransferOptions):
    """The content of one picture in the style of another.

    A picture with the content of one and the style of another: equations 1, 4, 5 and 7 of the paper.

    loss = content_weight * sum (F - P)^2 / 2 + style_weight * mean over layers of sum (G - A)^2 / (4 C^2 M^2), with
    F the picture's activations and P the content's, G the picture's Gram matrices and A the style's. If no style_weight
    is given, it is 1000 * strength * the content's loss / the style's, both at activations of zero.
    """

    name = "style_transfer"
    aliases: ClassVar[Mapping[str, str]] = {
        "neural_style": "",
        "neural_style_transfer": "",
    }
    needs_target = False
    example: ClassVar = {"style": np.linspace(0, 1, 1728, dtype=np.float32).reshape(3, 24, 24), "steps": 3}

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        if self.content_layer and self.style_layers:
            return {}
        whole = images if self.size is None else resize_longer_side(images[:1, ...], self.size)
        size = scale_sizes(self.scales, self.tile_size, model, (whole.shape[-2], whole.shape[-1]))[-1]
        content, style = self.layers(model, at_size(whole[:1, ...], self.tile_size(model, size)))
        return {"content_layer": content, "style_layers": style}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each of `images`, of its size; history (steps, N) is the loss, the start's first."""
        check_colours(self.colours, images)
        images = images if self.size is None else resize_longer_side(images, self.size)
        jobs = TransferJobs(self, model, images, [like(style, images) for style in style_pictures(self.style, model)])
        check_maps(model, jobs.layers[1])
        check_field(model, jobs.sample, jobs.layers[1], jobs.styles)
        return make_pictures(self, model, objective, jobs, images, progress)

    def takes_any_size(self) -> bool:
        """Where a size is asked for."""
        return self.size is not None


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [StyleTransfer]
