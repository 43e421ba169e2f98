"""The gradient of a target with respect to the image (Simonyan et al., 2014, https://arxiv.org/abs/1312.6034)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.postprocess import absolute, channel_max, channel_sum, eight_bits_of_the_batch, unit_range
from crosslens.method.preset import Preset
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class Gradient(Method):
    """How the target changes with each pixel.

    dS/dx of the target S, signed, per channel.

    Section 3 of the paper takes the largest magnitude over the channels of this; `Attribution.maps` does so, with its
    sign kept.
    """

    name = "gradient"
    aliases: ClassVar[Mapping[str, str]] = {
        "saliency": "the signed gradient; Saliency elsewhere is its magnitude, which preset='captum' gives",
        "saliency_map": "signed; the paper's map is its largest magnitude over channels: preset='xplique'",
        "vanilla_gradient": "",
        "vanilla_gradients": "",
        "input_gradient": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(postprocess=(absolute,)),
        "tf-keras-vis": Preset(postprocess=(absolute, channel_max, unit_range(1e-7))),
        "xplique": Preset(postprocess=(absolute, channel_max)),
        "tf-explain": Preset(
            postprocess=(absolute, channel_sum, eight_bits_of_the_batch),
            doc="bug: one standardisation for all images, and all below the mean is 0",
        ),
        "pair": Preset(),
        "zennit": Preset(),
    }
    layer: str = param(INPUT, "layer to differentiate with respect to; the image if not given")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Raw gradients, of the shape of the image or of the layer."""
        pull, scores = pullback(model, images, objective, wrt=[self.layer])
        return Attribution(pull.gradients[self.layer], scores=scores)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Gradient]
