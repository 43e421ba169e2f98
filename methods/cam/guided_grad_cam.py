"""Guided Grad-CAM (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391, section 3.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from crosslens.arrays import Array
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.method.interpolation import KINDS
from crosslens.method.postprocess import resize
from crosslens.method.preset import Preset
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Attribution

from ..gradient.guided_backprop import GuidedBackprop
from .grad_cam import GradCAM


@dataclass(frozen=True, kw_only=True)
class GuidedGradCAM(Method):
    """Guided backpropagation where Grad-CAM is high.

    Guided backpropagation where Grad-CAM sees the class: fine and class-discriminative.

    The product, pixel by pixel, of guided backpropagation and of Grad-CAM enlarged to the image, or to the volume.
    """

    name = "guided_grad_cam"
    volumes = True
    needs_rectifier = True
    presets: ClassVar[Mapping[str, Preset]] = {"captum": Preset({"enlargement": "nearest"})}
    layer: str | tuple[str, ...] | None = param(None, "layer of the Grad-CAM; the last one with maps if not given")
    enlargement: str = param("linear", "how the Grad-CAM is enlarged to the image", choices=KINDS)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return GradCAM(layer=self.layer).network_defaults(model, images, objective)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Attribution:
        """Signed values of the shape of the image or volume."""
        guided = GuidedBackprop().run(model, images, objective, progress)
        where = GradCAM(layer=self.layer).run(model, images, objective, progress)
        maps = resize(self.enlargement)(where.values, images.shape[2:])
        return Attribution(guided.values * maps[:, None, ...], scores=where.scores, notes=(*guided.notes, *where.notes))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [GuidedGradCAM]
