"""Activation maximisation (Erhan et al. 2009; Simonyan et al. 2014, section 2; Olah et al. 2017)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import OUTPUT, Model
from crosslens.objective import Objective, class_scores
from crosslens.operators import Size
from crosslens.optim.normalised import NormalisedSteps
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.checkpoint import MAY_DIFFER
from crosslens.synthesis.drift import Drift
from crosslens.synthesis.jobs import Jobs, make_pictures
from crosslens.synthesis.parameterisation import Parameterisation
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.regularisers import Regulariser, read_regularisers
from crosslens.synthesis.starting_point import best_examples, fix_predicted_class, picture_size

from ._generator import StepOptions
from ._learned_prior import LearnedPriorOptions
from ._parameters import ParameterisationOptions, RegulariserOptions, StartOptions, TransformOptions

CLASS_RULES = ("blur:0.4:4",)
"""The regularisers where the output is maximised: a gradient through all strides of a network leaves grids."""


@dataclass(frozen=True, kw_only=True)
class ActivationMaximisation(
    StartOptions,
    ParameterisationOptions,
    LearnedPriorOptions,
    RegulariserOptions,
    TransformOptions,
    StepOptions,
    PictureMethod,
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
            return self._maximise(model, images, self._fixed(objective, model, images), objective, progress)
        chosen, said = best_examples(model, images, objective, self.examples)
        made = self._maximise(model, chosen, self._fixed(objective, model, chosen), objective, progress)
        return replace(made, notes=(said, *made.notes))

    def _fixed(self, objective: Objective, model: Model, images: Array) -> Objective:
        """What is climbed, without choices left open."""
        return self._aim(fix_predicted_class(objective, model, images))

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
        pixels = self._pixels(model, size)
        start = model.placed(self._start(pixels, objective.count or 1)) if images is None else pixels.of(images)
        ascent = self._ascent(model, objective, pixels, size, self.seed)
        before = ascent.score(pixels.image.apply(start))
        start = like(start, before)
        job = AscentJob(ascent, start, before, self.steps, self._optimiser(pixels, start), images)
        self._record_prior(job, pixels, ascent.drift)
        return make_pictures(self, model, asked, job, images, progress)

    def _pixels(self, model: Model, size: Size) -> Parameterisation:
        """The coordinates of pictures: a generator's codes where there is one."""
        channels = model.input.shape[0] or 3
        return self._coordinates(size, channels) if self.generator is None else self._codes(size, channels)

    def _ascent(
        self, model: Model, objective: Objective, pixels: Parameterisation, size: Size, seed: int, **settings: Any
    ) -> Ascent:
        """The ascent of an objective under this method's transforms, regularisers and prior."""
        rules = self._regularisers(objective)
        self._refuse_rules(rules)
        drift = self._drift(pixels, seed)
        view = self._transform(size)
        return Ascent(model, objective, pixels, view, size, seed, rules, drift, self._kept, **settings)

    def _record_prior(self, jobs: Jobs, pixels: Parameterisation, drift: Drift | None) -> None:
        """Tell jobs which networks the prior has, and that steps cannot be added where their length falls to 0."""
        jobs.networks = self._networks(pixels, drift)
        if isinstance(jobs.optimiser, NormalisedSteps) and jobs.optimiser.last_rate is not None:
            jobs.may_differ = MAY_DIFFER - {"steps"}

    def _regularisers(self, objective: Objective) -> tuple[Regulariser, ...]:
        classes = (
            self.generator is None and self.prior is None and (OUTPUT in objective.layers or class_scores(objective))
        )
        return read_regularisers((CLASS_RULES if classes else ()) if self.rules is None else self.rules)

    def _start(self, pixels: Parameterisation, count: int) -> Array:
        self._refuse_data(self.name)
        noise = pixels.noise(count, np.random.default_rng(self.seed))
        return noise if self.start == "noise" else np.zeros_like(noise)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ActivationMaximisation]
