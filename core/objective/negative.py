"""The negative of a unit, read before its rectifier (Olah et al. 2017, "Negative neurons")."""

import numpy as np

from ..arrays import Array, namespace
from ..errors import LayerError
from ..model.base import INPUT, OUTPUT, Model
from ..model.layer import LayerLike
from .algebra import Objective
from .unit import channel

__all__ = ["negative", "preactivation"]


def negative(model: Model, layer: LayerLike, index: int) -> Objective:
    """Minus a channel, before its rectifier if it has one: after it, a unit at 0 has no gradient.

    Raises:
        LayerError: no layer holds the values before the rectifier; or there is no such layer or channel.
    """
    objective = -channel(preactivation(model, layer), index)
    objective.check(model)
    return objective


def preactivation(model: Model, layer: LayerLike) -> str:
    """The layer before a rectifier: the nearest one of the same shape whose positive part is what `layer` gives.

    A layer with negative values is its own pre-activation. The layers' values on noise decide, so that the answer is
    the same on every backend.

    Raises:
        LayerError: no layer holds the values before the rectifier.
    """
    name = model.layer(layer).name
    shape = model.layers[name].shape
    names = list(model.layers)
    before = [n for n in names[: names.index(name)] if model.layers[n].shape == shape and n not in {INPUT, OUTPUT}]
    noise = model.input.from_unit(np.random.default_rng(0).random((1, *model.input.example_shape), dtype=np.float32))
    activations = model.forward(noise, [*before, name])
    if bool(namespace(activations[name]).any(activations[name] < 0)):
        return name
    for candidate in reversed(before):
        if _is_rectified(activations[candidate], activations[name]):
            return candidate
    raise LayerError(
        f"layer {name!r} has no negative values, and no layer holds the values before its rectifier, which is inside "
        f"the layer: where the unit is 0, so is its gradient. Maximise -channel({name!r}, ...) from a picture that "
        "excites the unit, or take a layer with negative values"
    )


def _is_rectified(before: Array, after: Array) -> bool:
    """Whether `after` is max(before, 0), limited from above or not, and `before` has negative values."""
    xp = namespace(before)
    top = xp.max(after)
    positive = xp.clip(before, 0, None)
    limited = xp.where(positive < top, positive, top)
    return bool(xp.any(before < 0)) and bool(xp.all(xp.abs(limited - after) <= 1e-5 * top))
