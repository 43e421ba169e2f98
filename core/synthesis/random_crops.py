"""Gradient ascent on an objective's mean over several random crops of each picture, and the sum of its gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Array, like, namespace
from ..errors import ParameterError
from ..execution.batching import batch_limit, slices
from ..model.base import INPUT
from ..objective import Objective, match, pullback
from ..operators import Operator, Resize
from .ascent import Ascent

__all__ = ["Anchor", "CropsAscent"]


@dataclass(frozen=True)
class Anchor:
    """Keeps pictures near those they started from, as a layer measures it: weight |a - a0|^2 / |a0|^2 of each crop."""

    layer: str
    starts: Array
    """(N, C, H, W)."""
    weights: Sequence[float]
    """One for each picture, in the unit of its objective."""


@dataclass
class CropsAscent(Ascent):
    """Minus the objective, its mean over `count` random crops of each picture, and the gradient at the parameters.

    All pictures have the same crops, so that each is made as if it were alone. `mask` adds up |gradient| at the
    picture, the mean over colours, step by step: where the objective has anything to gain (Fel et al. 2023, section
    3.3).
    """

    count: int = 4
    anchor: Anchor | None = None
    mask: Array = None
    """(N, H, W), raw."""

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ParameterError(f"crops is {self.count}; at least 1 is needed")

    def __call__(self, parameters: Array, step: int) -> tuple[Array, Array]:
        """Losses (N,) and the gradient at the parameters; the crops depend on seed and step alone."""
        rng = np.random.default_rng([self.seed, step])
        crops = [self.transform.draw(self.size, rng)[0] for _ in range(self.count)]
        image, back = self.pixels.image.linearize(parameters)
        xp = namespace(image)
        parts = [self._picture_gradient(image[n : n + 1, ...], n, crops) for n in range(image.shape[0])]
        gradient = xp.concat([part for part, _ in parts], axis=0)
        if step == 0:
            self._check_alive(gradient, crops[0].apply(image))
        touched = xp.mean(xp.abs(gradient), axis=1)
        self.mask = touched if self.mask is None else self.mask + touched
        return -xp.stack([score for _, score in parts]), -back(gradient)

    def network_input(self, images: Array) -> Array:
        """The pictures as the network takes them, all of each."""
        to = self.model.input.size if None not in self.model.input.shape[1:] else self.size
        return images if self.size == to else Resize(self.size, to).apply(images)

    def _picture_gradient(self, image: Array, n: int, crops: Sequence[Operator]) -> tuple[Array, Array]:
        """The gradient of picture n's mean objective at the picture (1, C, H, W), and that mean."""
        xp, objective = namespace(image), self.objective.select(n, n + 1)
        total, scores = xp.zeros_like(image), []
        for start, stop in slices(len(crops), batch_limit(self.model)):
            some = crops[start:stop]
            seen = xp.concat([crop.apply(image) for crop in some], axis=0)
            penalised = objective - self._anchor_penalty(n, some) if self.anchor else objective
            pull, score = pullback(self.model, seen, penalised)
            gradients = like(pull.gradients[INPUT], image)
            for k, crop in enumerate(some):
                total = total + crop.adjoint(gradients[k : k + 1, ...])
            scores.append(like(score, image))
        return total / len(crops), xp.mean(xp.concat(scores))

    def _anchor_penalty(self, n: int, crops: Sequence[Operator]) -> Objective:
        """The squared distance of picture n from its start at the layer, weighted, over these crops of both."""
        assert self.anchor is not None
        start, name = self.anchor.starts[n : n + 1, ...], self.anchor.layer
        xp = namespace(start)
        activations = self.model.forward(xp.concat([crop.apply(start) for crop in crops], axis=0), [name])[name]
        squares = float(namespace(activations).sum(activations * activations)) / len(crops)
        return (2.0 * self.anchor.weights[n] / max(squares, 1e-12)) * match(name, activations)
