"""What a user may give as a target, and the objective that it means."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import objective as objectives
from ..errors import TargetError
from ..model.base import Model
from ..printable import shown
from . import Objective
from .layer_names import with_layer_names
from .parse import class_index, parse_target

__all__ = ["resolve_target"]


def resolve_target(target: Any, model: Model, count: int | None, unit: str = "logit") -> Objective:
    """The objective that a target means for this model and a batch of `count` images.

    A class means its logit: in a network that ends in a softmax or a sigmoid, what enters it (`Model.output`). A
    network with one logit z, or one sigmoid, has two classes: 0, the negative one, with the logit -z, and 1 with z.

    Args:
        target: None (each image's predicted class; the positive one of a single sigmoid, the one number of a
            regression), a class number or one per image, also as arrays and tensors, a label, an `Objective`, a
            function of the output (`crosslens.objective.function`), a list with one of these for each image, or an
            objective spelled as text: "logit:281",
            "probability:tabby", "output:281" (what the network gives, as it is),
            "channel:LAYER:11", "neuron:LAYER:11:3:4", of tokens (N, T, D) "neuron:LAYER:UNIT:TOKEN", "layer:LAYER",
            "strongest:LAYER" (the channel with the largest sum for the image),
            "region:LAYER:CHANNEL:FILE.png" (the sum over a painted region), on maps of classes also
            "mask:FILE.png:CLASS" and "box:X0:Y0:X1:Y1:CLASS" (in pixels of the image as the network sees it),
            "negative:LAYER:11", "interpolate:LAYER:3:11:0.5", "random_direction:LAYER:0", the same times its
            cosine to a power "cosine:LAYER:0:2", a direction from a file "direction:LAYER:smile.npy:0",
            "diversity:LAYER", and of the image itself "norm:6", "total_variation:2", "patch_mixture:FILE.npz". They
            combine by + - * / with numbers and parentheses, with spaces around each operator
            ("(281 + 285) / 2 - 0.01 * total_variation:2"; a whole number that is added is a class). Texts with " | "
            between them are for one image each.
        model: where classes, labels and layers are looked up.
        count: the number of images; None where a method makes as many as the target is for.
        unit: what a class alone means: "logit", or "output" for an entry of its output, as in other libraries.

    Raises:
        TargetError, LayerError, ModelError: this model has no such class, label or layer.
    """
    objective = with_layer_names(_objective(target, model, unit), model)
    objective.check(model)
    if None not in {count, objective.count} and objective.count != count:
        raise TargetError(f"{objective.count} targets for {count} images; give one, or one per image")
    return objective.for_model(model)


def _objective(target: Any, model: Model, unit: str) -> Objective:
    if isinstance(target, Objective):
        return target
    if isinstance(target, str):
        return parse_target(target, model, unit)
    if callable(target) and not isinstance(target, type):
        return objectives.function(target)
    if isinstance(target, list | tuple) and any(isinstance(each, Objective) or callable(each) for each in target):
        return objectives.each(_objective(each, model, unit) for each in target)
    return _of_classes(target, model, objectives.output if unit == "output" else objectives.logit)


def _of_classes(target: Any, model: Model, of_class: Callable[..., Objective]) -> Objective:
    if target is None:
        return of_class()
    if np.ndim(target) == 0:
        return of_class(_class(target, model, "give a class number, a label, an Objective, or None"))
    return of_class([_class(each, model, "give a class number or a label for each image") for each in target])


def _class(target: Any, model: Model, advice: str) -> int:
    """The class of a number, of Python or of a framework, or of a label."""
    if isinstance(target, str):
        return class_index(target, model)
    dtype = str(getattr(target, "dtype", type(target).__name__))
    number = None if np.ndim(target) or "bool" in dtype else _whole(target)
    if number is None:
        raise TargetError(f"target {shown(target)} is not a class; {advice}")
    return number


def _whole(value: Any) -> int | None:
    """The value as an int; None if it is not a whole number."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number.is_integer() else None
