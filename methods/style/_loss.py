"""The loss of a style transfer (Gatys et al. 2016, equations 4 and 5)."""

from collections.abc import Sequence

from crosslens.arrays import Array, like
from crosslens.errors import ParameterError
from crosslens.model import INPUT, Model
from crosslens.objective import Objective, gram, gram_matrix, pullback
from crosslens.optim.base import Evaluate
from crosslens.synthesis.parameterisation import Parameterisation


def style_loss(
    model: Model,
    styles: Sequence[Array],
    layers: Sequence[str],
    blend: Sequence[float] | None,
    layer_weights: Sequence[float] | None,
) -> Objective:
    """The weighted sum over layers of equation 4, the Gram matrices being the styles' blended.

    Args:
        model: gives the activations.
        styles: pictures (1, C, H, W), of any sizes.
        layers: the style layers.
        blend: one weight per style; None for equal ones.
        layer_weights: w of equation 5, one per layer; None for equal ones.

    Raises:
        ParameterError: not one share for each style, or not one weight for each layer.
    """
    parts = normalised_weights("blend", blend, len(styles), "styles")
    weights = normalised_weights("layer_weights", layer_weights, len(layers), "style layers")
    activations = [model.forward(style, layers) for style in styles]
    terms = []
    for name, weight in zip(layers, weights, strict=True):
        mixed = [share * gram_matrix(maps[name]) for share, maps in zip(parts, activations, strict=True)]
        terms.append(weight * gram(name, sum(mixed[1:], mixed[0])))
    return sum(terms[1:], terms[0])


def normalised_weights(name: str, given: Sequence[float] | None, count: int, of: str) -> list[float]:
    """Weights divided by their sum.

    Args:
        name: of the parameter, for the message.
        given: the weights; None for equal ones.
        count: how many there must be.
        of: what they belong to, in the plural, for the message.

    Raises:
        ParameterError: another number of weights, or a sum that is not above 0.
    """
    weights = [1.0] * count if given is None else [float(weight) for weight in given]
    if len(weights) != count or sum(weights) <= 0:
        raise ParameterError(f"{name} is {given}; give {count} numbers for {count} {of}, with a sum above 0")
    return [weight / sum(weights) for weight in weights]


def picture_loss(model: Model, loss: Objective, pixels: Parameterisation) -> Evaluate:
    """A loss as `optimise` takes it, at a picture's parameters."""

    def evaluate(parameters: Array, step: int) -> tuple[Array, Array]:
        picture, back = pixels.image.linearize(parameters)
        pull, value = pullback(model, picture, loss)
        return value, back(like(pull.gradients[INPUT], picture))

    return evaluate
