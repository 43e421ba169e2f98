"""The loss of a style transfer as an optimiser takes it."""

from crosslens.arrays import Array, like
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, pullback
from crosslens.optim.base import Evaluate
from crosslens.synthesis.parameterisation import Parameterisation


def picture_loss(model: Model, loss: Objective, pixels: Parameterisation) -> Evaluate:
    """A loss as `optimise` takes it, at a picture's parameters."""

    def evaluate(parameters: Array, step: int) -> tuple[Array, Array]:
        picture, back = pixels.image.linearize(parameters)
        pull, value = pullback(model, picture, loss)
        return value, back(like(pull.gradients[INPUT], picture))

    return evaluate
