"""Guided backpropagation (Springenberg et al., 2015, https://arxiv.org/abs/1412.6806)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.introspection.nonlinearities import rule_note
from crosslens.method import Method, param
from crosslens.method.postprocess import absolute, channel_max, channel_mean, unit_range
from crosslens.method.preset import Preset
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution


@dataclass(frozen=True, kw_only=True)
class GuidedBackprop(Method):
    """The gradient through positive signals only.

    The gradient with every rectifier letting only positive gradients back, where its own input was positive too.

    Section 3.4 and figure 1 of the paper: at each ReLU, dx = (x > 0) (dy > 0) dy. A network without a rectifier is
    refused. Adebayo et al. (2018) show that the picture depends little on the network's weights: it shows edges.
    """

    name = "guided_backprop"
    aliases: ClassVar[Mapping[str, str]] = {
        "guided_backpropagation": "",
        "guided_bp": "",
        "gbp": "",
    }
    volumes = True
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(),
        "xplique": Preset(postprocess=(channel_mean,)),
        "zennit": Preset(),
        "pytorch-grad-cam": Preset(),
        "tf-keras-vis": Preset(
            postprocess=(absolute, channel_max, unit_range(1e-7)),
            doc="Saliency with GuidedBackpropagation; bug: it passes over ReLU layers and sees activation='relu' only",
        ),
    }
    needs_rectifier = True
    layer: str = param(INPUT, "layer to go back to; the image if not given")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the image, or of the layer."""
        pull, scores = pullback(model.modified(relu="guided"), images, objective, wrt=[self.layer])
        return Attribution(pull.gradients[self.layer], scores=scores, notes=rule_note(model))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GuidedBackprop]
