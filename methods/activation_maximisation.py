"""Activation maximisation (Erhan et al. 2009; Simonyan et al. 2014, section 2; Olah et al. 2017)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import ModelError, ParameterError, TargetError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, Value, pullback
from crosslens.operators import Size
from crosslens.optimise import Adam, optimise
from crosslens.parameterise import COLOURS, PARAMETERISATIONS, Parameterisation, parameterisation
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.views import View, robust_view


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
    size: int | None = param(None, "height and width of the picture in pixels; the network's own if not given")
    seed: int = param(0, "of the starting noise and of the views")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """One picture from noise, or one from each of `images`; history (steps, N) is the objective on the views."""
        size = self._size(model, images)
        view = robust_view(size, self.shift, self.zoom)
        pixels = parameterisation(self.parameterisation, size, model.input.shape[0] or 3, self.colour)
        start = pixels.noise(1, np.random.default_rng(self.seed)) if images is None else pixels.of(images)
        objective = _fixed(objective, model, images)
        before = _clean_scores(model, pixels.image.apply(start), objective)
        parameters, losses = optimise(
            _Climb(model, objective, pixels, view, size, self.seed),
            like(start, before),
            self.steps,
            optimiser=Adam(self.learning_rate),
            progress=progress,
            describe=lambda loss: f"{objective} {-loss:.4g}",
        )
        made = pixels.image.apply(parameters)
        after = _clean_scores(model, made, objective)
        return Synthesis(images=made, history=-losses, notes=_risen(before, after, objective))

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


@dataclass(frozen=True)
class _Climb:
    """The loss of one step: minus the objective on a view of the picture, and its gradient at the parameters."""

    model: Model
    objective: Objective
    pixels: Parameterisation
    view: View
    size: Size
    seed: int

    def __call__(self, parameters: Array, step: int) -> tuple[Array, Array]:
        view, _ = self.view.draw(self.size, np.random.default_rng([self.seed, step]))
        image, back = self.pixels.image.linearize(parameters)
        pull, score = pullback(self.model, view.apply(image), self.objective)
        gradient = like(pull.gradients[INPUT], image)
        if step == 0:
            self._check_alive(gradient)
        return -score, -back(view.adjoint(gradient))

    def _check_alive(self, gradient: Array) -> None:
        if not bool(namespace(gradient).any(gradient != 0)):
            raise TargetError(
                f"{self.objective} has no gradient at the starting picture: nothing there excites it. Start from "
                "images that do (images=...), take the layer before the ReLU, or another channel"
            )


def _fixed(objective: Objective, model: Model, images: Array) -> Objective:
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


def _clean_scores(model: Model, images: Array, objective: Objective) -> Array:
    return objective.value(model.forward(images, sorted(objective.layers)))


def _risen(before: Array, after: Array, objective: Objective) -> tuple[str, ...]:
    pairs = [f"{float(a):.4g} to {float(b):.4g}" for a, b in zip(before, after, strict=True)]
    return (f"{objective} on the picture itself rose from {', '.join(pairs)}",)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [ActivationMaximisation]
