"""Activation maximisation (Erhan et al. 2009; Simonyan et al. 2014, section 2; Olah et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, like
from crosslens.ascent import Ascent, story
from crosslens.errors import ModelError, ParameterError, TargetError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param, parameters
from crosslens.model import Model
from crosslens.objective import Objective, Value
from crosslens.operators import Size
from crosslens.optimise import Adam, State, long_run
from crosslens.parameterise import COLOURS, PARAMETERISATIONS, Parameterisation, parameterisation
from crosslens.progress import Progress
from crosslens.provenance import described
from crosslens.result import Synthesis
from crosslens.resume import resumed, saved_state
from crosslens.step_rules import step_rules
from crosslens.views import robust_view


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
    steps: int = param(192, "steps of Adam")
    learning_rate: float = param(0.015, "length of a step, in the parameterisation's unit")
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    colour: str = param("photographs", "axes of colour, decorrelated or not", choices=tuple(COLOURS))
    shift: float = param(0.07, "the view moves along each axis by up to this share of the side")
    zoom: float = param(0.25, "the view is larger or smaller by up to this share")
    turn: float = param(0.0, "the view is turned by up to so many degrees either way")
    rules: tuple[str, ...] = param(
        (),
        "between steps: decay:RATE, blur:PIXELS:EVERY, bilateral:PIXELS:RANGE:EVERY, clip_norm:PERCENT:EVERY, "
        "clip_contribution:PERCENT:EVERY, blur_gradient:PIXELS, laplacian:LEVELS",
    )
    start: str = param("noise", "picture to start from where no image is given", choices=("noise", "grey"))
    size: int | None = param(None, "height and width of the picture in pixels; the network's own if not given")
    seed: int = param(0, "of the starting noise and of the views")
    every: int | None = param(None, "keep a snapshot after every so many steps")
    resume: Path | None = param(None, "go on from a run that was saved as .npz, up to `steps` in all")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture from noise, or one from each of `images`; history (steps, N) is the objective on the views."""
        return self._climbed(model, images, fixed(objective, model, images), progress)

    def _climbed(
        self, model: Model, images: Array, objective: Objective, progress: Progress, *, alone: bool = True
    ) -> Synthesis:
        """The pictures of a fixed objective; `alone` is False where one of many may be dead."""
        size = self._size(model, images)
        pixels = parameterisation(self.parameterisation, size, model.input.shape[0] or 3, self.colour)
        view = robust_view(size, self.shift, self.zoom, self.turn)
        start = self._start(pixels, objective.count or 1) if images is None else pixels.of(images)
        climb = Ascent(model, objective, pixels, view, size, self.seed, step_rules(self.rules), not alone)
        before = objective.value(model.forward(pixels.image.apply(start), sorted(objective.layers)))
        state, past = (State(like(start, before)), None) if self.resume is None else self._resumed(model, climb, before)
        run = long_run(
            climb,
            state,
            self.steps,
            past=past,
            every=self.every,
            optimiser=Adam(self.learning_rate),
            amend=climb.amend if climb.rules else None,
            progress=progress,
            describe=lambda loss: f"{objective} {-loss:.4g}",
        )
        made = pixels.image.apply(run.parameters)
        return Synthesis(
            images=made,
            history=-run.history,
            starts=images,
            snapshots={step: pixels.image.apply(kept) for step, kept in run.snapshots},
            state=saved_state(run.state),
            notes=story(run, self.steps, climb, before, made, images),
        )

    def _start(self, pixels: Parameterisation, count: int) -> Array:
        if self.start not in {"noise", "grey"}:
            raise ParameterError(f"no start {self.start!r}; there are noise, grey, and images=")
        noise = pixels.noise(count, np.random.default_rng(self.seed))
        return noise if self.start == "noise" else np.zeros_like(noise)

    def _resumed(self, model: Model, climb: Ascent, x: Array) -> tuple[State, Array]:
        """The saved state and losses, as arrays like `x`."""
        own = {f.name: described(getattr(self, f.name)) for f in parameters(self)}
        state, losses = resumed(self.resume, self.name, own, str(climb.objective), model.digest)
        return State(like(state.parameters, x), tuple(like(m, x) for m in state.moments), state.step), like(losses, x)

    def _size(self, model: Model, images: Array) -> Size:
        if not model.input.is_image:
            raise ModelError(f"{self.name} makes pictures (C, H, W) in [0, 1]; this model takes {model.input.shape}")
        if images is not None and self.size is not None:
            raise ParameterError(f"size is {self.size}, but the picture starts from images, which have their own size")
        if images is not None:
            return images.shape[-2], images.shape[-1]
        size = model.input.size if self.size is None else (self.size, self.size)
        if any(n < 1 or n != (fixed or n) for n, fixed in zip(size, model.input.shape[1:], strict=True)):
            raise ParameterError(f"size is {self.size}; this model takes pictures {model.input.shape[1:]}, None = any")
        return size


def fixed(objective: Objective, model: Model, images: Array) -> Objective:
    """ "The predicted class" means that of the images at the start, and nothing where there are none.

    Raises:
        TargetError: no target and no images.
    """
    if images is not None:
        return objective.pinned(model.forward(images, sorted(objective.layers)))
    if isinstance(objective, Value) and objective.target is None:
        raise TargetError(
            "activation_maximisation without images has no predicted class; give a target: a class, a label, or an "
            "Objective such as channel(layer, 11)"
        )
    return objective


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ActivationMaximisation]
