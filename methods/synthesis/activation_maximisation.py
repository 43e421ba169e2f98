"""Activation maximisation (Erhan et al. 2009; Simonyan et al. 2014, section 2; Olah et al. 2017)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import OUTPUT, Model
from crosslens.objective import Objective, class_scores
from crosslens.optim.adam import Adam
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.parameterisation import Parameterisation
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.regularisers import Regulariser, read_regularisers
from crosslens.synthesis.starting_point import best_examples, fix_predicted_class, picture_size

from ._parameters import AdamOptions, ParameterisationOptions, RegulariserOptions, StartOptions, TransformOptions

CLASS_RULES = ("blur:0.4:4",)
"""The regularisers where the output is maximised: a gradient through all strides of a network leaves grids."""


@dataclass(frozen=True, kw_only=True)
class ActivationMaximisation(
    StartOptions, ParameterisationOptions, RegulariserOptions, TransformOptions, AdamOptions, PictureMethod
):
    """The picture that excites a target most.

    The picture that excites a target most: arg max over x of objective(x), by gradient ascent with Adam.

    Each step looks at the picture under new random transforms (moved, scaled, turned). Priors are objectives too:
    subtract `0.001 * total_variation()` from the target, for example.
    """

    name = "activation_maximisation"
    aliases: ClassVar[Mapping[str, str]] = {
        "activation_maximization": "",
        "feature_visualization": "",
        "feature_visualisation": "",
        "optvis": "",
    }
    needs_images = False
    example: ClassVar = {"steps": 4}
    steps: int = param(192, "steps of Adam", minimum=1)
    seed: int = param(0, "of the starting noise and of the transforms", minimum=0)

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture from noise, or one from each of `images`; history (steps, N) is the objective of each step."""
        starts = self._facet_starts(model, images)
        images = images if starts is None else starts
        if self.examples is None:
            return self._maximise(model, images, fix_predicted_class(objective, model, images), objective, progress)
        chosen, said = best_examples(model, images, objective, self.examples)
        made = self._maximise(model, chosen, fix_predicted_class(objective, model, chosen), objective, progress)
        return replace(made, notes=(said, *made.notes))

    def _maximise(
        self, model: Model, images: Array, objective: Objective, asked: Objective, progress: Progress
    ) -> Synthesis:
        """The pictures that maximise an objective without choices left open.

        Args:
            model: the network.
            images: to start from, (N, C, H, W); None for a start from noise or grey.
            objective: what is maximised.
            asked: the objective that the method was called with, for the check of a resumed run.
            progress: told after each step.
        """
        size = picture_size(model, images, self.size)
        pixels = self._coordinates(model, size)
        start = model.placed(self._start(pixels, objective.count or 1)) if images is None else pixels.of(images)
        ascent = Ascent(model, objective, pixels, self._transform(size), size, self.seed, self._regularisers(objective))
        before = ascent.score(pixels.image.apply(start))
        adam = Adam(self.learning_rate, bounds=pixels.bounds)
        job = AscentJob(ascent, like(start, before), before, self.steps, adam, images)
        return make_pictures(self, model, asked, job, images, progress)

    def _regularisers(self, objective: Objective) -> tuple[Regulariser, ...]:
        classes = self.generator is None and (OUTPUT in objective.layers or class_scores(objective))
        return read_regularisers((CLASS_RULES if classes else ()) if self.rules is None else self.rules)

    def _start(self, pixels: Parameterisation, count: int) -> Array:
        self._refuse_data(self.name)
        noise = pixels.noise(count, np.random.default_rng(self.seed))
        return noise if self.start == "noise" else np.zeros_like(noise)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ActivationMaximisation]
