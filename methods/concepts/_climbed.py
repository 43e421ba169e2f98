"""A picture for each of many objectives, climbed from one start, so that no picture depends on the others asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from crosslens.arrays import as_numpy, resample
from crosslens.errors import TargetError
from crosslens.execution.batching import batch_limit, slices
from crosslens.execution.progress import Progress, part_of
from crosslens.introspection.unit_layers import rectifier_inputs
from crosslens.method import param
from crosslens.method.parameter_group import ParameterGroup
from crosslens.method.unit_range import in_unit_range
from crosslens.model import Model
from crosslens.objective import Objective, each
from crosslens.optim.adam import Adam
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.ascent_job import AscentJob
from crosslens.synthesis.jobs import run_jobs
from crosslens.synthesis.parameterisation import Parameterisation, parameterisation
from crosslens.synthesis.picture_statistics import CHOICES
from crosslens.synthesis.starting_point import picture_size
from crosslens.synthesis.transforms import robust_transform

__all__ = ["ClimbOptions", "before_rectifier"]

Numbers = np.ndarray[Any, Any]
SHIFT, ZOOM, TURN = 0.07, 0.1, 8.0
"""The random transforms of `activation_maximisation`, by default."""


def before_rectifier(model: Model, layer: str) -> tuple[str, tuple[str, ...]]:
    """The layer to climb at, and a note where it is what the layer's rectifier reads.

    There an idle unit has a gradient, and one at the cap of a ReLU6 too.
    """
    read = rectifier_inputs(model, [layer]).get(layer)
    if read is None:
        return layer, ()
    return read, (f"pictures are climbed before the rectifier of {layer!r}, at {read!r}",)


@dataclass(frozen=True, kw_only=True)
class ClimbOptions(ParameterGroup):
    """How a unit's, a direction's or a group's picture is climbed."""

    title = "pictures of units and groups"
    steps: int = param(64, "steps of Adam for each picture", minimum=1)
    learning_rate: float = param(0.05, "length of a step, in the parameterisation's unit", above=0)
    size: int | None = param(None, "height and width of these pictures in pixels; the network's own if not given")
    colour: Any = param("photographs", "their axes of colour, as in activation_maximisation", choices=CHOICES)
    seed: int = param(0, "of the starting noise, of the transforms and of what else is drawn", minimum=0)

    def climbed(
        self, model: Model, objectives: Sequence[Objective], progress: Progress, starts: Numbers | None = None
    ) -> tuple[Numbers, tuple[str, ...]]:
        """A picture for each objective, (K, C, H, W) in [0, 1], and a note on those without a gradient.

        All start from the same noise and are seen under the same transforms, so that a picture is the same whatever
        others are made with it.

        Args:
            model: the network.
            objectives: what is climbed.
            progress: told after each step.
            starts: a picture for each objective to start from instead of noise, (K, C, h, w) in [0, 1].

        Raises:
            KeyboardInterrupt: interrupted; pictures that are half done would look like others.
        """
        view = in_unit_range(model)
        bounds = list(slices(len(objectives), batch_limit(view)))
        made, dead = [], list[str]()
        for n, (start, stop) in enumerate(bounds):
            some = objectives[start:stop]
            own = None if starts is None else starts[start:stop]
            pictures, without = self._batch(view, some, part_of(progress, n, len(bounds)), own)
            made.append(pictures)
            dead += [str(some[place]) for place in without]
        note = f"no gradient at the start, so that the picture stayed as it began: {', '.join(dead)}"
        return np.concatenate(made), (note,) * bool(dead)

    def _batch(
        self, view: Model, objectives: Sequence[Objective], progress: Progress, starts: Numbers | None
    ) -> tuple[Numbers, Sequence[int]]:
        size = picture_size(view, None, self.size)
        pixels = parameterisation("fourier", size, view.input.shape[0] or 3, self.colour)
        ascent = Ascent(
            view, each(objectives), pixels, robust_transform(size, SHIFT, ZOOM, TURN), size, self.seed, may_be_dead=True
        )
        if starts is None:
            start = view.placed(self._start(pixels, len(objectives)))
        else:
            start = pixels.of(view.placed(np.asarray(resample(starts, size), np.float32)))
        job = AscentJob(ascent, start, None, self.steps, Adam(self.learning_rate, bounds=pixels.bounds))
        try:
            (run,) = run_jobs(job, (), every=None, progress=job.progress_of(progress))
        except TargetError:  # none of them has a gradient
            return as_numpy(pixels.image.apply(start)), range(len(objectives))
        if run.interrupted:
            raise KeyboardInterrupt
        return as_numpy(job.pictures(run.parameters, 0)), ascent.dead

    def _start(self, pixels: Parameterisation, count: int) -> Numbers:
        return np.repeat(pixels.noise(1, np.random.default_rng(self.seed)), count, axis=0)
