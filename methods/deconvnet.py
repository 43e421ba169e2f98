"""Deconvolutional network (Zeiler and Fergus, 2014, https://arxiv.org/abs/1311.2901, section 2.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from crosslens.arrays import Array
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.preset import Preset
from crosslens.progress import Progress
from crosslens.result import Attribution
from crosslens.steps import channel_mean


@dataclass(frozen=True, kw_only=True)
class Deconvnet(Method):
    """Project one unit of any layer back to the pixels: filters transposed, pooling undone, rectified on the way back.

    At each ReLU, dx = (dy > 0) dy, whatever its input was. The target says which unit: `neuron(layer, channel, y, x)`,
    or `channel(layer, k)` for all positions of a map at once. Pooling is undone at the places where the maxima were
    (the paper's switches), which is what the gradient of max pooling does; a projection without switches would take
    another backward rule at the pooling, which a Model does not have. The paper starts from the unit's own activation,
    here it is one: the way back is homogeneous, so the paper's values are these times `scores`.
    """

    name = "deconvnet"
    presets: ClassVar[Mapping[str, Preset]] = {
        "captum": Preset(),
        "xplique": Preset(steps=(channel_mean,)),
        "zennit": Preset(),
    }
    needs_rectifier = True
    layer: str = param(INPUT, "layer to go back to; the image if not given")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the image, or of the layer."""
        pull, scores = pullback(model.modified(relu="deconvnet"), images, objective, wrt=[self.layer])
        return Attribution(pull.gradients[self.layer], scores=scores)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Deconvnet]
