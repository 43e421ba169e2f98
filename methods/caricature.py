"""Caricature: an image as a layer sees it, exaggerated (Olah 2018, Lucid's activation caricatures)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.ascent import Ascent
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective, likeness
from crosslens.optimise import Adam, optimise
from crosslens.parameterise import COLOURS, PARAMETERISATIONS, parameterisation
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.scales import last_of_scales
from crosslens.views import robust_view


@dataclass(frozen=True, kw_only=True)
class Caricature(Method):
    """What a layer makes of an image, exaggerated: from noise, the most of <a, t> cos(a, t)^power.

    t is the layer's activation at the image, a that at the picture made, both whole. Inversion wants a = t; a
    caricature wants as much as it can get of t's direction.
    """

    name = "caricature"
    batched = False
    needs_target = False
    example: ClassVar = {"steps": 4}
    layer: str | None = param(
        None, "layer whose view to exaggerate; if not given, the last rectified of the last scale but one"
    )
    power: float = param(1.0, "of the cosine: the more, the nearer to the image")
    steps: int = param(192, "steps of Adam")
    learning_rate: float = param(0.05, "length of a step, in the parameterisation's unit")
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    colour: str = param("photographs", "axes of colour, decorrelated or not", choices=tuple(COLOURS))
    shift: float = param(0.03, "the view moves along each axis by up to this share of the side")
    zoom: float = param(0.05, "the view is larger or smaller by up to this share")
    seed: int = param(0, "of the starting noise and of the views")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture for each image; history (steps, N) is the objective on the views."""
        name = self.layer or last_of_scales(model, images[:1, ...])[-2:][0]
        wanted = model.forward(images, [name])[name]
        aim = likeness(name, wanted, self.power)
        count, channels, *size = images.shape
        pixels = parameterisation(self.parameterisation, (size[0], size[1]), channels, self.colour)
        view = robust_view((size[0], size[1]), self.shift, self.zoom)
        found, losses = optimise(
            Ascent(model, aim, pixels, view, (size[0], size[1]), self.seed),
            like(pixels.noise(count, np.random.default_rng(self.seed)), images),
            self.steps,
            optimiser=Adam(self.learning_rate),
            progress=progress,
            describe=lambda loss: f"{aim} {-loss:.4g}",
        )
        return Synthesis(images=pixels.image.apply(found), history=-losses)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [Caricature]
