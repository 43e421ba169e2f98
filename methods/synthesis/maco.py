"""MaCo: feature visualisation by phases alone (Fel et al. 2023, https://arxiv.org/abs/2306.06805)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.errors import ModelError, ParameterError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import Model
from crosslens.objective import Objective
from crosslens.operators import Size
from crosslens.optim.adam import Adam
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.parameterisation import phases
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.random_crops import CropsAscent
from crosslens.synthesis.starting_point import fix_predicted_class
from crosslens.synthesis.transforms import crop_transform

from ._parameters import AdamOptions, CropOptions

SPECTRA = ("photographs", "data:FILE")
"""Of the axes of colour those along which magnitudes were measured."""


@dataclass(frozen=True, kw_only=True)
class MaCo(CropOptions, AdamOptions, PictureMethod):
    """The picture that excites a target, by phases alone.

    The picture that excites a target most among those with the spectrum of photographs: only phases are free.

    arg max over phi of f(irfft2(r e^(i phi))), r the mean magnitudes of photographs in decorrelated colours (section 3
    of the paper), f the mean over random crops under noise. Where |df/dx|, added up over the steps, is small, the
    picture is arbitrary: `masked` fades it out there (section 3.3).
    """

    name = "maco"
    aliases: ClassVar[Mapping[str, str]] = {
        "magnitude_constrained_optimization": "",
    }
    needs_images = False
    example: ClassVar = {"steps": 4, "crops": 2}
    steps: int = param(128, "steps of Adam", minimum=1)
    learning_rate: float = param(0.3, "length of a step in radians", above=0, search=(0.05, 1.0))
    size: int | None = param(
        None, "height and width of the picture in pixels; twice the network's if not given", minimum=8
    )
    colour: Any = param(
        "photographs", "whose colours and spectrum; a data set's from colour_statistics or a store", choices=SPECTRA
    )
    seed: int = param(0, "of the starting phases, the crops and the noise", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """A picture for each objective; history (steps, N) is the mean over close-ups; `mask` adds up |gradient|."""
        aim, size = fix_predicted_class(objective, model, None), self._size(model, images)
        pixels = phases(size, model.input.shape[0] or 3, self.colour)
        transform = crop_transform(self.crop, self.noise, model.input.size)
        ascent = CropsAscent(model, aim, pixels, transform, size, self.seed, count=self.crops)
        start = model.placed(pixels.noise(aim.count or 1, np.random.default_rng(self.seed)))
        before = ascent.score(pixels.image.apply(start))
        job = AscentJob(ascent, like(start, before), before, self.steps, Adam(self.learning_rate))
        return make_pictures(self, model, objective, job, None, progress)

    def _size(self, model: Model, images: Array) -> Size:
        if not model.input.is_image:
            raise ModelError(f"maco makes pictures (C, H, W) in [0, 1]; this model takes {model.input.shape}")
        if images is not None:
            raise ParameterError("maco starts from random phases, not from images; accentuation starts from images")
        height, width = model.input.size
        return (2 * height, 2 * width) if self.size is None else (self.size, self.size)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [MaCo]
