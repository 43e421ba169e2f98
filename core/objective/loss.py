"""An objective as the loss by which another network is trained: values and image gradients for a training loop."""

from math import isfinite
from warnings import warn

from ..arrays import Array, namespace
from ..errors import ImageError, TargetError
from ..input.unit import interval
from ..model.base import INPUT, Model
from .algebra import Objective
from .pullback import pullback
from .target import resolve_target

__all__ = ["checked_loss", "compares_images", "loss_and_gradient"]

SLACK = 1e-3
"""How far outside the bounds an image may reach without a warning, as a share of the range: rounding, no more."""
FAR = 8.0
"""How far outside the bounds an image is refused, as a share of the range: `InputSpec.check` takes no more."""


def checked_loss(model: Model, objective: Objective) -> Objective:
    """The objective as this model computes it.

    Raises:
        TargetError, LayerError: it is not an objective, or reads what the model does not have.
    """
    if not isinstance(objective, Objective):
        raise TargetError(
            f"the objective of a loss is a {type(objective).__name__}; build it with crosslens.objective, for example "
            'gram("LAYER", target) + match("LAYER", features)'
        )
    return resolve_target(objective, model, None)


def compares_images(objective: Objective) -> bool:
    """Whether an image's value depends on the other images of the batch, as that of `diversity` does."""
    try:
        objective.select(0, 1)
    except TargetError:
        return True
    return False


def loss_and_gradient(
    model: Model, x: Array, objective: Objective, *, gradient: bool = True
) -> tuple[Array, Array | None]:
    """The losses of images that a network under training has made, and the gradient of their sum.

    Images outside the model's bounds are taken as they are, with a warning. An image that holds NaN or infinite values
    has the loss NaN and the gradient NaN everywhere, and so have the images that it is compared with; a loss that is
    not finite is given out as it is.

    Args:
        model: the network that measures; it is not trained.
        x: images (N, C, H, W), float32, in the model's bounds.
        objective: the loss, as `checked_loss` gives it.
        gradient: whether it is asked for; without it there is no backward pass.

    Returns:
        The losses (N,) and the gradient of the shape of `x`, or None.

    Raises:
        ImageError: wrong shape or type, or values more than eight ranges outside the bounds.
    """
    xp = namespace(x)
    finite, x = _finite_images(x, model.input.bounds)
    if gradient:
        pull, losses = pullback(model, x, objective)
        gradients = pull.gradients[INPUT]
    else:
        losses, gradients = objective.value(model.forward(x, sorted(objective.layers))), None
    if finite is None:
        return losses, gradients
    finite = xp.zeros_like(finite) if compares_images(objective) else finite
    rows = xp.reshape(finite, (-1, *[1] * (x.ndim - 1)))
    return xp.where(finite, losses, xp.nan), None if gradients is None else xp.where(rows, gradients, xp.nan)


def _finite_images(x: Array, bounds: tuple[float, float] | None) -> tuple[Array | None, Array]:
    """Which images are finite, None where all are; and the images, the lower bound in place of those that are not.

    Raises:
        ImageError: values that no network's output should be this far from.
    """
    if 0 in x.shape:
        return None, x
    xp = namespace(x)
    finite, (low, high) = None, _extremes(x)
    if not (isfinite(low) and isfinite(high)):
        finite = xp.all(xp.reshape(xp.isfinite(x), (x.shape[0], -1)), axis=1)
        rows = xp.reshape(finite, (-1, *[1] * (x.ndim - 1)))
        x = xp.where(rows, x, xp.full_like(x, (bounds or (0.0, 0.0))[0]))
        low, high = _extremes(x)
    if bounds is not None:
        _say_outside(low, high, bounds)
    return finite, x


def _extremes(x: Array) -> tuple[float, float]:
    xp = namespace(x)
    return float(xp.min(x)), float(xp.max(x))


def _say_outside(low: float, high: float, bounds: tuple[float, float]) -> None:
    """Warn of images outside the bounds, refuse them far outside."""
    outside = max(bounds[0] - low, high - bounds[1]) / (bounds[1] - bounds[0])
    if outside > FAR:
        raise ImageError(
            f"the images of a loss reach from {low:.4g} to {high:.4g}, far outside the model's bounds "
            f"{interval(bounds)}: scale them to the bounds, or end the trained network in a sigmoid"
        )
    if outside > SLACK:
        warn(
            f"images of a loss lie outside the model's bounds {interval(bounds)}; they are taken as they are: clamp "
            "them, or end the trained network in a sigmoid, if they should lie inside",
            stacklevel=2,
        )
