"""What a user may give as a target, and the objective it means."""

from typing import Any

import numpy as np

from .. import objective as objectives
from ..errors import TargetError
from ..model.base import Model
from . import Objective
from .parse import class_index, parse_target

__all__ = ["resolve_target"]


def resolve_target(target: Any, model: Model, count: int | None, unit: str = "logit") -> Objective:
    """The objective that a target means for this model and a batch of `count` images.

    A class means its logit. Of a network that ends in a softmax or a sigmoid that is what enters there
    (`Model.output`); one sigmoid, or one logit, has two classes, 0 the negative one with the logit -z, 1 the positive.

    Args:
        target: None (each image's predicted class; the positive one of a single sigmoid, the one number of a
            regression), a class number or one per image, also as arrays and tensors, a label, an `Objective`, or one
            spelled as text: "logit:281", "probability:tabby", "output:281" (what the network gives, as it is),
            "channel:LAYER:11", "neuron:LAYER:11:3:4", of tokens (N, T, D) "neuron:LAYER:UNIT:TOKEN", "layer:LAYER",
            "strongest:LAYER" (the sum of the channel that answers most to the image),
            "region:LAYER:CHANNEL:FILE.png" (the sum over a painted region), on maps of classes also
            "mask:FILE.png:CLASS" and "box:X0:Y0:X1:Y1:CLASS" (in pixels of the image as the network sees it),
            "negative:LAYER:11", "interpolate:LAYER:3:11:0.5", "random_direction:LAYER:0", the same times its
            cosine to a power "cosine:LAYER:0:2", a saved one "direction:LAYER:smile.npy:0", "diversity:LAYER", and of
            the image itself "norm:6", "total_variation:2". Texts take + - * / with numbers and parentheses, spaces
            around each sign ("(281 + 285) / 2 - 0.01 * total_variation:2"; a whole number that is added is a class);
            with " | " between them there is one for each image.
        model: where classes, labels and layers are looked up.
        count: the number of images; None where a method makes as many as the target is for.
        unit: what a class alone means: "logit", or "output" for what the network gives, as other libraries take it.

    Raises:
        TargetError, LayerError, ModelError: this model has no such class, label or layer.
    """
    objective = _objective(target, model, unit)
    objective.check(model)
    if None not in {count, objective.count} and objective.count != count:
        raise TargetError(f"{objective.count} targets for {count} images; give one, or one per image")
    return objective.for_model(model)


def _objective(target: Any, model: Model, unit: str) -> Objective:
    if isinstance(target, Objective):
        return target
    if isinstance(target, str):
        return parse_target(target, model, unit)
    of_class = objectives.output if unit == "output" else objectives.logit
    if target is None:
        return of_class()
    if np.ndim(target) == 0:
        return of_class(_class(target, model, "give a class number, a label, an Objective, or None"))
    return of_class([_class(each, model, "give a class number or a label for each image") for each in target])


def _class(target: Any, model: Model, instead: str) -> int:
    """A class number, of Python or of a framework, or a label."""
    if isinstance(target, str):
        return class_index(target, model)
    dtype = str(getattr(target, "dtype", type(target).__name__))
    number = None if np.ndim(target) or "bool" in dtype else _whole(target)
    if number is None:
        raise TargetError(f"target {target!r} is no class; {instead}")
    return number


def _whole(value: Any) -> int | None:
    """A whole number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else None
