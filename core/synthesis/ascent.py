"""Gradient ascent on an objective: parameters, picture, transform, network, objective, and back through adjoints."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..arrays import Array, as_numpy, like, namespace
from ..errors import TargetError
from ..model.base import INPUT, Model
from ..objective import Objective, pullback
from ..objective.unit import Channel
from ..operators import VJP, Size
from .drift import Drift, check_direction
from .parameterisation import Parameterisation
from .regularisers import Regulariser
from .transforms import RandomTransform

__all__ = ["Ascent"]


CANDIDATES = 12
"""Channels tried, where one is dead, to be proposed instead of it."""


@dataclass
class Ascent:
    """The loss of one step: minus the objective on the transformed picture, and its gradient at the parameters."""

    model: Model
    objective: Objective
    pixels: Parameterisation
    transform: RandomTransform
    size: Size
    seed: int
    regularisers: tuple[Regulariser, ...] = ()
    drift: Drift | None = None
    """A direction beside the objective's gradient; losses stay the objective's."""
    kept: float = 1.0
    """The share of the parameters that is left after each step: 0.99 in DGN-AM."""
    may_be_dead: bool = False
    """Whether a picture without any gradient may stay as it is, being one of many."""
    dead: tuple[int, ...] = ()
    """The pictures that had no gradient at the first step."""
    _latest: Array = field(default=None, repr=False)

    def __call__(self, parameters: Array, step: int) -> tuple[Array, Array]:
        """Losses (N,) and the gradient at the parameters; the transform depends on seed and step alone."""
        operator, _ = self.transform.draw(self.size, np.random.default_rng([self.seed, step]))
        image, back = self.pixels.image.linearize(parameters)
        seen = operator.apply(self.pixels.view.apply(image))
        pull, score = pullback(self.model, seen, self.objective)
        gradient = self.pixels.view.adjoint(operator.adjoint(like(pull.gradients[INPUT], image)))
        if step == 0:
            self._check_alive(gradient, seen)
        self._latest = gradient
        for rule in self.regularisers:
            gradient = rule.gradient(gradient)
        if self.drift is None:
            return -score, -back(gradient)
        return -score, -self._with_drift(self.drift, parameters, image, gradient, back, step)

    def _with_drift(
        self, drift: Drift, parameters: Array, image: Array, gradient: Array, back: VJP, step: int
    ) -> Array:
        """The gradient of the objective at the parameters, and the drift."""
        if drift.objective_weight != 1:
            gradient = drift.objective_weight * gradient
        if (direction := drift.at_picture(image, step)) is not None:
            gradient = gradient + check_direction(drift, "at_picture", direction, image)
        total = back(gradient)
        if (direction := drift.at_parameters(parameters, step)) is not None:
            total = total + check_direction(drift, "at_parameters", direction, parameters)
        return total

    @property
    def amends(self) -> bool:
        """Whether parameters change between the steps."""
        return bool(self.regularisers) or self.kept != 1

    def amend(self, parameters: Array, step: int) -> Array:
        """The parameters that are left after a step, after the regularisers that are due for the picture."""
        if self.kept != 1:
            parameters = self.kept * parameters
        due = [rule for rule in self.regularisers if rule.due(step)]
        if not due:
            return parameters
        image = self.pixels.image.apply(parameters)
        for rule in due:
            image = rule.picture(image, self._latest)
        return self.pixels.of(image)

    def network_input(self, images: Array) -> Array:
        """The pictures as the network takes them, without any transform."""
        return self.pixels.view.apply(images)

    def score(self, images: Array) -> Array:
        """The objective at the pictures themselves, (N,)."""
        activations = self.model.forward(self.network_input(images), sorted(self.objective.layers))
        return self.objective.value(activations)

    def _check_alive(self, gradient: Array, seen: Array) -> None:
        xp = namespace(gradient)
        alive = as_numpy(xp.any(xp.reshape(gradient, (gradient.shape[0], -1)) != 0, axis=1))
        self.dead = tuple(int(n) for n in np.flatnonzero(~alive))
        if not self.dead or (self.may_be_dead and len(self.dead) < alive.size):
            return
        first = self.dead[0]
        objective = self.objective if self.objective.count is None else self.objective.select(first, first + 1)
        value = float(objective.value(self.model.forward(seen[first : first + 1, ...], sorted(objective.layers)))[0])
        why = f"it is {value:.3g} there, whatever changes" if value > 0 else "nothing there excites it"
        raise TargetError(
            f"{objective} has no gradient at the starting picture: {why}. Start from images that excite it "
            f"(images=...), take the layer before the ReLU, or another channel{self._firing(objective, seen)}"
        )

    def _firing(self, objective: Objective, seen: Array) -> str:
        """Up to three channels of the layer that fire at the start, the strongest first, and react to the picture."""
        if not isinstance(objective, Channel):
            return ""
        maps = as_numpy(self.model.forward(seen[:1, ...], [objective.layer])[objective.layer])[0]
        means = maps if maps.ndim == 1 else maps.mean(axis=0) if maps.ndim == 2 else maps.mean(axis=(1, 2))
        best: list[str] = []
        for k in np.argsort(-means)[:CANDIDATES]:
            unit = replace(objective, index=int(k), position=())
            if means[k] > 0 and len(best) < 3 and self._reacts(unit, seen[:1, ...]):
                best.append(str(k))
        return f": {', '.join(best)} fire there" if best else "; none of this layer fires there"

    def _reacts(self, unit: Objective, seen: Array) -> bool:
        """Whether it has a gradient: at the top of a ReLU6, or behind units that are off, a unit fires and has none."""
        gradient = pullback(self.model, seen, unit)[0].gradients[INPUT]
        return bool(namespace(gradient).any(gradient != 0))
