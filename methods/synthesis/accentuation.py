"""Feature accentuation (Hamblin et al. 2024, "Feature accentuation: revealing 'what' features respond to in natural
images", https://arxiv.org/abs/2402.10039).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import last_of_scales
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.optim.adam import Adam
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.parameterisation import phases_of
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.random_crops import Anchor, CropsAscent
from crosslens.synthesis.starting_point import fix_predicted_class
from crosslens.synthesis.transforms import crop_transform

from ._parameters import CropOptions


@dataclass(frozen=True, kw_only=True)
class Accentuation(CropOptions, PictureMethod):
    """More of what excites the target in an image.

    What of an image excites a target, more of it: the image itself, moved uphill, and kept near in an early layer.

    f(x) - weight g |a(x) - a(x0)|^2 / |a(x0)|^2, the mean over random crops of x and x0 alike under noise; x has
    the magnitudes of x0's spectrum, its phases are free. g = |df/dx0| |x0 - 1/2| gives the distance the target's unit.
    `change()` of the result is what became of the image, `mask` where the target had anything to gain.
    """

    name = "accentuation"
    example: ClassVar = {"steps": 4, "crops": 2}
    layer: str | None = param(
        None, "early layer at which to stay near; if not given, the last rectified of the second scale"
    )
    weight: float = param(0.1, "what leaving the image costs; 0 lets it go", search=(0.01, 1.0))
    steps: int = param(60, "steps of Adam", minimum=1)
    learning_rate: float = param(0.05, "length of a step in radians", above=0, search=(0.01, 0.3))
    crop: tuple[float, float] = param((0.5, 1.0), "least and most share of the picture's sides in a crop")
    noise: float = param(0.02, "deviation of the noise that crops are seen under")
    seed: int = param(0, "of the crops and the noise", minimum=0)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        wanted = self.weight and not self.layer
        return {"layer": last_of_scales(model, images[:1, ...])[:2][-1]} if wanted else {}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture from each image; history (steps, N) is the target less what the distance costs."""
        aim, size = fix_predicted_class(objective, model, images), (images.shape[-2], images.shape[-1])
        pixels = phases_of(images)
        start = pixels.of(images)
        transform = crop_transform(self.crop, self.noise, model.input.size)
        anchor = self._anchor(model, images, aim) if self.weight else None
        ascent = CropsAscent(model, aim, pixels, transform, size, self.seed, count=self.crops, anchor=anchor)
        job = AscentJob(ascent, start, ascent.score(images), self.steps, Adam(self.learning_rate), images)
        return make_pictures(self, model, objective, job, images, progress)

    def _anchor(self, model: Model, images: Array, aim: Objective) -> Anchor:
        layer = self.layer or last_of_scales(model, images[:1, ...])[:2][-1]
        gradient = as_numpy(pullback(model, images, aim)[0].gradients[INPUT])
        gains = _length(gradient) * _length(as_numpy(images) - 0.5)
        return Anchor(layer, images, [self.weight * float(gain) for gain in gains])


def _length(x: Any) -> Any:
    """The Euclidean length of each picture."""
    return np.sqrt((x.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Accentuation]
