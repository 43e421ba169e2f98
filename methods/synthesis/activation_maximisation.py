"""Activation maximisation (Erhan et al. 2009; Simonyan et al. 2014, section 2; Olah et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.errors import TargetError
from crosslens.execution.progress import Progress
from crosslens.method import Method, param
from crosslens.model import OUTPUT, Model
from crosslens.objective import ClassScore, Objective, class_scores
from crosslens.operators import Size
from crosslens.optim.loop import Adam
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent, best_examples, picture_size
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.generator_prior import generator
from crosslens.synthesis.jobs import make_pictures
from crosslens.synthesis.parameterisation import BOUNDS, COLOURS, PARAMETERISATIONS, Parameterisation, parameterisation
from crosslens.synthesis.regularisers import StepRule, step_rules
from crosslens.synthesis.transforms import robust_view

CLASS_RULES = ("blur:0.4:4",)
"""Where the output is climbed: seen through all strides of a network, a picture else becomes full of grids."""


@dataclass(frozen=True, kw_only=True)
class ActivationMaximisation(Method):
    """The picture that excites a target most: arg max over x of objective(x), climbed with Adam.

    Each step looks at a new random view of the picture (moved, zoomed). Priors are objectives too: subtract
    `0.001 * total_variation()` from the target, for example.
    """

    name = "activation_maximisation"
    batched = False
    needs_images = False
    example: ClassVar = {"steps": 4}
    steps: int = param(192, "steps of Adam", minimum=1)
    learning_rate: float = param(0.05, "length of a step, in the parameterisation's unit", above=0, search=(0.005, 0.1))
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    colour: str = param("photographs", "axes of colour, decorrelated or not", choices=tuple(COLOURS))
    shift: float = param(0.07, "the view moves along each axis by up to this share of the side", search=(0.0, 0.15))
    zoom: float = param(0.1, "the view is larger or smaller by up to this share", search=(0.0, 0.4))
    turn: float = param(8.0, "the view is turned by up to so many degrees either way")
    noise: float = param(0.0, "deviation of the noise that the view is seen under")
    bound: str = param("sigmoid", "how pixels are kept in [0, 1]", choices=tuple(BOUNDS))
    shared: int = param(0, "pictures of one run share a component of so many pixels a side; 0 for none")
    generator: Any = param(
        None, "a network whose code to climb instead of coordinates: a model, its file, or demo:dcgan_torch"
    )
    code_bound: float = param(3.0, "numbers of a generator's code stay within this either way")
    rules: tuple[str, ...] | None = param(
        None,
        "between steps; if not given, blur:0.4:4 for a class, unless a generator makes the picture. decay:RATE, "
        "blur:PIXELS:EVERY, bilateral:PIXELS:RANGE:EVERY, clip_norm:PERCENT:EVERY, clip_contribution:PERCENT:EVERY, "
        "blur_gradient:PIXELS, laplacian:LEVELS",
        search=(
            "decay:0.0001..0.02",
            "blur:0.3..1.0:4..12",
            "clip_norm:5.0..40.0:4..12",
            "clip_contribution:5.0..40.0:4..12",
        ),
    )
    start: str = param("noise", "picture to start from where no image is given", choices=("noise", "grey"))
    examples: int | None = param(
        None, "of the images given, start from so many that excite the target most; from all if not given"
    )
    size: int | None = param(None, "height and width of the picture in pixels; the network's own if not given")
    seed: int = param(0, "of the starting noise and of the views", minimum=0)
    every: int | None = param(None, "keep a snapshot after every so many steps", minimum=1)
    resume: Path | None = param(None, "go on from a run that was saved as .npz, up to `steps` in all")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture from noise, or one from each of `images`; history (steps, N) is the objective on the views."""
        if self.examples is None:
            return self._climbed(model, images, fixed(objective, model, images), objective, progress)
        chosen, said = best_examples(model, images, objective, self.examples)
        made = self._climbed(model, chosen, fixed(objective, model, chosen), objective, progress)
        return replace(made, notes=(said, *made.notes))

    def _climbed(
        self,
        model: Model,
        images: Array,
        objective: Objective,
        asked: Objective,
        progress: Progress,
        *,
        alone: bool = True,
    ) -> Synthesis:
        """The pictures of a fixed objective, for the target `asked`; not `alone`, one of many may be dead."""
        size = picture_size(model, images, self.size)
        pixels = self._coordinates(model, size)
        view = robust_view(size, self.shift, self.zoom, self.turn, self.noise)
        start = model.placed(self._start(pixels, objective.count or 1)) if images is None else pixels.of(images)
        ascent = Ascent(model, objective, pixels, view, size, self.seed, self._rules(objective), not alone)
        before = ascent.score(pixels.image.apply(start))
        adam = Adam(self.learning_rate, bounds=pixels.bounds)
        job = AscentJob(ascent, like(start, before), before, self.steps, adam, images)
        return make_pictures(self, model, asked, job, images, progress)

    def _rules(self, objective: Objective) -> tuple[StepRule, ...]:
        classes = self.generator is None and (OUTPUT in objective.layers or class_scores(objective))
        return step_rules((CLASS_RULES if classes else ()) if self.rules is None else self.rules)

    def _coordinates(self, model: Model, size: Size) -> Parameterisation:
        channels = model.input.shape[0] or 3
        if self.generator is not None:
            return generator(self.generator, self.code_bound, size, channels)
        return parameterisation(self.parameterisation, size, channels, self.colour, self.bound, self.shared)

    def _start(self, pixels: Parameterisation, count: int) -> Array:
        noise = pixels.noise(count, np.random.default_rng(self.seed))
        return noise if self.start == "noise" else np.zeros_like(noise)


def fixed(objective: Objective, model: Model, images: Array) -> Objective:
    """ "The predicted class" means that of the images at the start, and nothing where there are none.

    Raises:
        TargetError: no target and no images.
    """
    if images is not None:
        return objective.fix_choices(model.forward(images, sorted(objective.layers)))
    if isinstance(objective, ClassScore) and objective.target is None:
        raise TargetError(
            "activation_maximisation without images has no predicted class; give a target: a class, a label, or an "
            "Objective such as channel(layer, 11)"
        )
    return objective


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ActivationMaximisation]
