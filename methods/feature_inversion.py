"""Feature inversion (Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them")."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from crosslens.arrays import Array, as_numpy, like, namespace
from crosslens.ascent import Ascent
from crosslens.errors import ParameterError
from crosslens.hookspecs import hookimpl
from crosslens.method import Method, param
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, match, total_variation
from crosslens.objective.energy import Energy
from crosslens.optimise import LBFGS, Adam, Optimiser, optimise
from crosslens.parameterise import PARAMETERISATIONS, parameterisation
from crosslens.progress import Progress
from crosslens.result import Synthesis
from crosslens.scales import last_of_scales
from crosslens.views import Unchanged

from .style_loss import together


@dataclass(frozen=True, kw_only=True)
class FeatureInversion(Method):
    """What a layer kept of an image: a picture with the same activations, found from noise.

    loss = |f(x) - f0|^2 / |f0|^2 + alpha_weight mean |x - 1/2|^6 + tv_weight mean TV(x)^2: equation 2 of the paper, its
    alpha-norm and TV^beta divided by the number of pixels, x in [0, 1].
    """

    name = "feature_inversion"
    batched = False
    needs_target = False
    example: ClassVar = {"steps": 4}
    layer: str | None = param(None, "layer to invert; if not given, the last rectified of the last scale but one")
    sheet: bool = param(False, "a picture for the last rectified layer of each scale, finest first, instead")
    alpha: float = param(6.0, "power of the norm that keeps pixels near mid-grey")
    alpha_weight: float = param(0.1, "weight of that norm")
    beta: float = param(2.0, "power of the total variation")
    tv_weight: float = param(0.05, "weight of the total variation")
    parameterisation: str = param("fourier", "coordinates of the picture", choices=tuple(PARAMETERISATIONS))
    optimiser: str = param("lbfgs", "how to descend", choices=("lbfgs", "adam"))
    steps: int = param(150, "steps of the optimiser")
    learning_rate: float = param(0.05, "length of Adam's steps, in the parameterisation's unit")
    seed: int = param(0, "of the noise to start from")

    def run(self, model: Model, images: Array, objective: Objective, progress: Progress) -> Synthesis:
        """For each image one picture, or one per layer of the sheet; history (steps, pictures) is the loss."""
        made, losses, notes = [], [], []
        names = self._layers(model, images[:1, ...])
        for n in range(images.shape[0]):
            for name in names:
                wanted = model.forward(images[n : n + 1, ...], [name])[name]
                picture, history = self._inverted(model, name, wanted, images.shape[1:], progress)
                made.append(like(picture, images))
                losses.append(history)
                notes.append(f"{name}: relative error {_error(model, name, wanted, picture):.3g}")
        return Synthesis(
            images=namespace(images).concat(made, axis=0), history=together(losses), notes=("; ".join(notes),)
        )

    def _layers(self, model: Model, image: Array) -> list[str]:
        if self.layer and not self.sheet:
            return [self.layer]
        scales = last_of_scales(model, image)
        return scales if self.sheet else scales[-2:][:1]

    def _inverted(
        self, model: Model, name: str, wanted: Array, shape: tuple[int, ...], progress: Progress
    ) -> tuple[Array, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        channels, *size = shape
        pixels = parameterisation(self.parameterisation, (size[0], size[1]), channels)
        start = like(pixels.noise(1, np.random.default_rng(self.seed)), wanted)
        loss = Ascent(model, -self._loss(name, wanted, shape), pixels, Unchanged(), (size[0], size[1]), self.seed)
        found, history = optimise(loss, start, self.steps, optimiser=self._optimiser(), progress=progress)
        return pixels.image.apply(found), as_numpy(history)[:, 0]

    def _loss(self, name: str, wanted: Array, shape: tuple[int, ...]) -> Objective:
        """Equation 2; `match` is half a squared distance.

        Raises:
            ParameterError: the layer's activation is zero everywhere.
        """
        squares = float(namespace(wanted).sum(wanted * wanted))
        if squares == 0:
            raise ParameterError(f"layer {name!r} is zero everywhere at this image: nothing is there to be inverted")
        grey = np.full((1, *shape), 0.5, np.float32)
        norm = Energy(INPUT, power=self.alpha, reference=grey, title="norm")
        count = float(np.prod(shape))
        return (
            2.0 / squares * match(name, wanted)
            + self.alpha_weight / count * norm
            + self.tv_weight / count * total_variation(self.beta)
        )

    def _optimiser(self) -> Optimiser:
        if self.optimiser not in {"lbfgs", "adam"}:
            raise ParameterError(f"no optimiser {self.optimiser!r}; there are lbfgs, adam")
        return LBFGS() if self.optimiser == "lbfgs" else Adam(self.learning_rate)


def _error(model: Model, name: str, wanted: Array, picture: Array) -> float:
    """|f(x) - f0| / |f0|, the error of the paper's table 3."""
    got = model.forward(picture, [name])[name]
    xp = namespace(wanted)
    return float(xp.sqrt(xp.sum((like(got, wanted) - wanted) ** 2) / xp.sum(wanted * wanted)))


@hookimpl
def crosslens_methods() -> Sequence[type[Method]]:
    """This module's method."""
    return [FeatureInversion]
