"""Gradient times input (Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.postprocess import absolute, channel_mean, channel_sum, eight_bits_of_the_batch
from crosslens.method.preset import Preset
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class GradientXInput(Method):
    """Each pixel times the target's gradient there.

    x dS/dx, the first-order share of each pixel in the target.

    On a network of linear layers and ReLU without biases the values add up to the target. The image is the one
    given, in [0, 1] unless the model has other bounds, so pixels of 0 get nothing; another zero is a matter for
    integrated_gradients.
    """

    name = "gradient_x_input"
    aliases: ClassVar[Mapping[str, str]] = {
        "input_x_gradient": "",
        "input_times_gradient": "",
        "gradient_times_input": "",
        "gradient_input": "per channel; xplique's GradientInput is the mean over channels: preset='xplique'",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(),
        "xplique": Preset(postprocess=(channel_mean,)),
        "tf-explain": Preset(
            postprocess=(absolute, channel_sum, eight_bits_of_the_batch),
            doc="bug: one standardisation for all images, and all below the mean is 0",
        ),
    }
    layer: str = param(INPUT, "layer whose activation takes the image's place; the image if not given")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the image, or of the layer."""
        pull, scores = pullback(model, images, objective, wrt=[self.layer], capture=[self.layer])
        return Attribution(pull.gradients[self.layer] * pull.activations[self.layer], scores=scores)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GradientXInput]
