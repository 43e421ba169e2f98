"""The loss of a synthesis at one step: from parameters through picture, random view and network, and back."""

from dataclasses import dataclass, field

import numpy as np

from .arrays import Array, like
from .model import INPUT, Model
from .objective import Objective, pullback
from .operators import Size
from .parameterise import Parameterisation
from .views import Unchanged, View

__all__ = ["ViewedLoss"]


@dataclass(frozen=True)
class ViewedLoss:
    """What `optimise` minimises: an objective on a view of the picture, and its gradient at the parameters."""

    model: Model
    objective: Objective
    pixels: Parameterisation
    size: Size
    view: View = field(default_factory=Unchanged)
    seed: int = 0

    def __call__(self, parameters: Array, step: int) -> tuple[Array, Array]:
        """Losses (N,), and the gradient of their sum, shaped as the parameters."""
        view, _ = self.view.draw(self.size, np.random.default_rng([self.seed, step]))
        image, back = self.pixels.image.linearize(parameters)
        pull, value = pullback(self.model, view.apply(image), self.objective)
        return like(value, image), back(view.adjoint(like(pull.gradients[INPUT], image)))
