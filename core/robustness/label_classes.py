"""The classes that labels of images stand for, and what counts as right where there are none."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..classes.class_names import model_classes
from ..errors import TargetError
from ..model.base import Model

__all__ = ["AGAINST", "label_classes"]

AGAINST = ("auto", "label", "prediction")
"""What counts as right: the label where an image has one; it alone; what the network predicts for the image."""


def label_classes(
    model: Model, ids: Sequence[str], records: Sequence[Mapping[str, Any]], against: str
) -> "np.ndarray[Any, Any]":
    """(N,): the class of each image's label, by its name or its number; -1 for none.

    Args:
        model: the network.
        ids: of the images.
        records: what is known of each, {"label": "cat"}.
        against: one of `AGAINST`; with "prediction" all are -1.

    Raises:
        TargetError: an image has no label that is a class of the network, and `against` is "label".
    """
    labels = [str(each.get("label", "")) for each in records]
    if against == "prediction":
        return np.full(len(labels), -1)
    names = model.output.names(model.labels)
    known = {each: model_classes([each], names, model.output.count)[0] for each in set(labels)}
    if against == "label":
        for name, label in zip(ids, labels, strict=True):
            if known[label] < 0:
                what = f"the label {label!r}, which is no class of the network" if label else "no label"
                raise TargetError(
                    f"image {name!r} has {what}: make classes sub-folders of the folder, give labels to the source, "
                    "or measure agreement with the network's own predictions, against='prediction'"
                )
    return np.asarray([known[label] for label in labels])
