"""Feature inversion (Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from crosslens.arrays import Array, like, namespace
from crosslens.errors import ParameterError
from crosslens.execution.progress import Progress
from crosslens.introspection.layer_scales import last_of_scales
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, match, total_variation
from crosslens.objective.power_sum import PowerSum
from crosslens.optim.adam import Adam
from crosslens.optim.base import Evaluate, Optimiser
from crosslens.optim.lbfgs import LBFGS
from crosslens.optim.loop import Run
from crosslens.plugins.hookspecs import hookimpl
from crosslens.result import Synthesis
from crosslens.synthesis.ascent import Ascent
from crosslens.synthesis.jobs import Jobs, make_pictures
from crosslens.synthesis.parameterisation import PARAMETERISATIONS, Parameterisation, parameterisation
from crosslens.synthesis.picture_method import PictureMethod
from crosslens.synthesis.transforms import NoTransform

from ._parameters import PriorOptions


@dataclass(frozen=True, kw_only=True)
class FeatureInversion(PriorOptions, PictureMethod):
    """A picture with an image's activations at a layer.

    Made from noise, with the same activations as the image's.

    loss = |f(x) - f0|^2 / |f0|^2 + alpha_weight mean |x - 1/2|^6 + tv_weight mean TV(x)^2: equation 2 of the paper, its
    alpha-norm and TV^beta divided by the number of pixels, x in [0, 1].
    """

    name = "feature_inversion"
    aliases: ClassVar[Mapping[str, str]] = {
        "image_inversion": "",
        "deep_image_representation_inversion": "",
    }
    needs_target = False
    example: ClassVar = {"steps": 4}
    layer: str | tuple[str, ...] | None = param(
        None, "layer to invert, or several; if not given, the last rectified of the last scale but one"
    )
    sheet: bool = param(False, "a picture for the last rectified layer of each scale, finest first, instead")
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    optimiser: str = param("lbfgs", "how to descend", choices=("lbfgs", "adam"))
    steps: int = param(150, "steps of the optimiser", minimum=1)
    learning_rate: float = param(0.05, "length of Adam's steps, in the parameterisation's unit", above=0)
    seed: int = param(0, "of the noise to start from", minimum=0)

    def network_defaults(self, model: Model, images: Array, objective: Objective) -> Mapping[str, Any]:
        if self.layer and not self.sheet:
            return {}
        scales = last_of_scales(model, images[:1, ...])
        return {"layer": tuple(scales)} if self.sheet else {"layer": scales[-2:][0]}

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """For each image one picture, or one per layer of the sheet; history (steps, pictures) is the loss."""
        names = self._layers(model, images[:1, ...])
        tasks = [
            _Inversion(self, model, images[n : n + 1, ...], name) for n in range(images.shape[0]) for name in names
        ]
        jobs = _Inversions(tasks, self.steps, self._optimiser())
        return make_pictures(self, model, objective, jobs, images, progress)

    def _layers(self, model: Model, image: Array) -> list[str]:
        if isinstance(self.layer, tuple):
            return list(self.layer)
        if self.layer and not self.sheet:
            return [self.layer]
        scales = last_of_scales(model, image)
        return scales if self.sheet else scales[-2:][:1]

    def _optimiser(self) -> Optimiser:
        return LBFGS() if self.optimiser == "lbfgs" else Adam(self.learning_rate)


@dataclass(frozen=True)
class _Inversion:
    """One image, inverted from one layer."""

    how: FeatureInversion
    model: Model
    image: Array
    layer: str

    @property
    def pixels(self) -> Parameterisation:
        _, channels, *size = self.image.shape
        return parameterisation(self.how.parameterisation, (size[0], size[1]), channels)

    @cached_property
    def target_activations(self) -> Array:
        """The layer's activation at the image."""
        return self.model.forward(self.image, [self.layer])[self.layer]

    def job(self) -> tuple[Evaluate, Array]:
        """The loss on the picture's parameters, and the noise to start from."""
        size = self.image.shape[-2], self.image.shape[-1]
        start = like(self.pixels.noise(1, np.random.default_rng(self.how.seed)), self.target_activations)
        return Ascent(self.model, -self._loss(), self.pixels, NoTransform(), size, self.how.seed), start

    def _loss(self) -> Objective:
        """Equation 2; `match` is half a squared distance.

        Raises:
            ParameterError: the layer's activation is zero everywhere.
        """
        how, name, target, shape = self.how, self.layer, self.target_activations, self.image.shape[1:]
        squares = float(namespace(target).sum(target * target))
        if squares == 0:
            raise ParameterError(f"layer {name!r} is zero everywhere at this image: nothing is there to be inverted")
        grey = np.full((1, *shape), 0.5, np.float32)
        norm = PowerSum(INPUT, power=how.alpha, reference=grey, title="norm")
        count = float(np.prod(shape))
        return (
            2.0 / squares * match(name, target)
            + how.alpha_weight / count * norm
            + how.tv_weight / count * total_variation(how.beta)
        )

    def error(self, picture: Array) -> str:
        """|f(x) - f0| / |f0|, in words."""
        got = like(self.model.forward(picture, [self.layer])[self.layer], self.target_activations)
        xp = namespace(got)
        error = float(xp.sqrt(xp.sum((got - self.target_activations) ** 2) / xp.sum(self.target_activations**2)))
        return f"{self.layer}: relative error {error:.3g}"


class _Inversions(Jobs):
    """Inversions one after the other, and the error of each in the notes."""

    def __init__(self, tasks: Sequence[_Inversion], steps: int, optimiser: Optimiser) -> None:
        self._tasks, self.steps, self.optimiser = tasks, steps, optimiser
        self.count, self.example = len(tasks), tasks[0].target_activations

    def job(self, n: int, last: Run | None) -> tuple[Evaluate, Array]:
        return self._tasks[n].job()

    def pictures(self, parameters: Array, n: int) -> Array:
        return self._tasks[n].pixels.image.apply(parameters)

    def notes(self, runs: Sequence[Run], images: Array) -> tuple[str, ...]:
        errors = [task.error(images[n : n + 1, ...]) for n, task in enumerate(self._tasks[: len(runs)])]
        return "; ".join(errors), *super().notes(runs, images)


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [FeatureInversion]
