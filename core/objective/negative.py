"""What a unit is least excited by, where a rectifier hides it (Olah et al. 2017, "Negative neurons")."""

import numpy as np

from ..arrays import Array, namespace
from ..errors import LayerError
from ..model.base import INPUT, OUTPUT, Model
from .algebra import Objective
from .unit import channel

__all__ = ["negative", "preactivation"]


def negative(model: Model, layer: str, index: int) -> Objective:
    """Minus a channel, before its rectifier if it has one: after it, an idle unit has no gradient.

    Raises:
        LayerError: the layer is rectified inside and gives no access to what comes before; or no such layer or channel.
    """
    objective = -channel(preactivation(model, layer), index)
    objective.check(model)
    return objective


def preactivation(model: Model, layer: str) -> str:
    """The layer that a rectifier cuts off: nearest before it, of its shape, equal to it wherever that is positive.

    A layer with negative values is its own pre-activation. Found by what the layers compute on noise, so that it means
    the same on every backend.

    Raises:
        LayerError: no layer holds the values before the rectifier.
    """
    name = model.layer(layer).name
    shape = model.layers[name].shape
    names = list(model.layers)
    before = [n for n in names[: names.index(name)] if model.layers[n].shape == shape and n not in {INPUT, OUTPUT}]
    noise = model.input.from_unit(np.random.default_rng(0).random((1, *model.input.example_shape), dtype=np.float32))
    found = model.forward(noise, [*before, name])
    if bool(namespace(found[name]).any(found[name] < 0)):
        return layer
    for candidate in reversed(before):
        if _cut_off(found[candidate], found[name]):
            return candidate
    raise LayerError(
        f"layer {layer!r} has no negative values, and no layer holds what comes before its rectifier (it lies inside "
        f"the layer): where the unit is idle, its gradient is zero. Maximise -channel({layer!r}, ...) from a picture "
        "that excites it, or take a layer with negative values"
    )


def _cut_off(before: Array, after: Array) -> bool:
    """Whether `after` is max(before, 0), capped or not, and `before` has something to cut."""
    xp = namespace(before)
    top = xp.max(after)
    kept = xp.clip(before, 0, None)
    return bool(xp.any(before < 0)) and bool(xp.all(xp.abs(xp.where(kept < top, kept, top) - after) <= 1e-5 * top))
