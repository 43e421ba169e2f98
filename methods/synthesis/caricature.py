"""Caricature: an image as a layer sees it, exaggerated (Olah 2018, Lucid's activation caricatures)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import last_of_scales
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, likeness
from crosslens.optim.adam import Adam
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.parameterisation import PARAMETERISATIONS, parameterisation
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.picture_statistics import CHOICES
from crosslens.synthesis.transforms import robust_transform

from ._parameters import COLOUR


@dataclass(frozen=True, kw_only=True)
class Caricature(PictureMethod):
    """What a layer makes of an image, exaggerated.

    What a layer makes of an image, exaggerated: from noise, the most of <a, t> cos(a, t)^power.

    t is the layer's activation at the image, a that at the picture made, both whole. Inversion wants a = t; a
    caricature wants as much as it can get of t's direction.
    """

    name = "caricature"
    needs_target = False
    example: ClassVar = {"steps": 4}
    layer: str | None = param(
        None, "layer whose activations to exaggerate; if not given, the last rectified of the last scale but one"
    )
    power: float = param(1.0, "of the cosine: the more, the nearer to the image", search=(0.0, 4.0))
    steps: int = param(192, "steps of Adam", minimum=1)
    learning_rate: float = param(0.05, "length of a step, in the parameterisation's unit", above=0, search=(0.01, 0.1))
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    colour: Any = param("photographs", COLOUR, choices=CHOICES)
    shift: float = param(0.03, "the picture moves along each axis by up to this share of the side")
    zoom: float = param(0.05, "the picture is larger or smaller by up to this share")
    seed: int = param(0, "of the starting noise and of the transforms", minimum=0)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        return {} if self.layer else {"layer": last_of_scales(model, images[:1, ...])[-2:][0]}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each image; history (steps, N) is the objective of each step."""
        name = self.layer or last_of_scales(model, images[:1, ...])[-2:][0]
        wanted = model.forward(images, [name])[name]
        aim = likeness(name, wanted, self.power)
        count, channels, *size = images.shape
        pixels = parameterisation(self.parameterisation, (size[0], size[1]), channels, self.colour)
        transform = robust_transform((size[0], size[1]), self.shift, self.zoom)
        ascent = Ascent(model, aim, pixels, transform, (size[0], size[1]), self.seed)
        start = like(pixels.noise(count, np.random.default_rng(self.seed)), images)
        job = AscentJob(ascent, start, None, self.steps, Adam(self.learning_rate))
        return make_pictures(self, model, objective, job, images, progress)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Caricature]
