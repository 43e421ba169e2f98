"""What a synthesis starts from: the size of its pictures, the images chosen, and the class that is meant."""

import numpy as np

from ..arrays import Array, as_numpy, namespace
from ..errors import ModelError, ParameterError, TargetError
from ..execution.batching import batch_limit, slices
from ..model.base import Model
from ..objective import ClassScore, Objective
from ..operators import Size

__all__ = ["best_examples", "fix_predicted_class", "picture_size"]


def fix_predicted_class(objective: Objective, model: Model, images: Array) -> Objective:
    """The objective with "the predicted class" replaced by the class predicted for the images at the start.

    Raises:
        TargetError: the target is the predicted class, and there are no images to predict it from.
    """
    if images is not None:
        return objective.fix_choices(model.forward(images, sorted(objective.layers)))
    if isinstance(objective, ClassScore) and objective.target is None:
        raise TargetError(
            "without images no class can be predicted; give a target: a class, a label, a text 'channel:LAYER:11', "
            "or an Objective such as channel(layer, 11)"
        )
    return objective


def picture_size(model: Model, images: Array, side: int | None) -> Size:
    """(H, W) of the pictures to make: those of the images to start from, `side` twice, or the network's own.

    Raises:
        ModelError: the network takes no pictures.
        ParameterError: the network does not take this size, or there are images and a side.
    """
    if not model.input.is_image:
        raise ModelError(f"this method makes pictures (C, H, W) in [0, 1]; this model takes {model.input.shape}")
    if images is not None and side is not None:
        raise ParameterError(f"size is {side}, but the picture starts from images, which have their own size")
    if images is not None:
        return images.shape[-2], images.shape[-1]
    size = model.input.size if side is None else (side, side)
    if any(n < 1 or n != (fixed or n) for n, fixed in zip(size, model.input.shape[1:], strict=True)):
        raise ParameterError(f"size is {side}; this model takes pictures {model.input.shape[1:]}, None = any")
    return size


def best_examples(model: Model, images: Array, objective: Objective, count: int) -> tuple[Array, str]:
    """The images that excite an objective most, the strongest first, and a note on which they are.

    Args:
        model: evaluates the objective.
        images: (N, C, H, W) to choose from.
        objective: one target for all images.
        count: how many to choose, from 1 to N.

    Returns:
        Images (count, C, H, W), and the note.

    Raises:
        ParameterError: no images, fewer than are asked for, or an objective for each of them.
    """
    total = 0 if images is None else images.shape[0]
    if not 1 <= count <= total:
        raise ParameterError(f"examples is {count}, of {total} images given; it must be 1 to their number")
    if objective.count is not None:
        raise ParameterError(f"examples chooses images for one target; {objective} has one for each image")
    values = [
        as_numpy(objective.value(model.forward(images[start:stop, ...], sorted(objective.layers))))
        for start, stop in slices(total, batch_limit(model))
    ]
    best = [int(n) for n in np.argsort(-np.concatenate(values), kind="stable")[:count]]
    note = f"started from images {', '.join(map(str, best))} of {total}, which excite {objective} most"
    return namespace(images).concat([images[n : n + 1, ...] for n in best], axis=0), note
