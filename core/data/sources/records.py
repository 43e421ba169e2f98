"""Labels and ids: labels as text, one for each image; ids that are all different."""

from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from typing import Any

import numpy as np

from ...arrays import as_numpy
from ...errors import ParameterError

__all__ = ["are_labels", "as_label", "different", "label_record", "labels_as_text"]


def different(names: Iterable[str]) -> tuple[str, ...]:
    """The names; one that stood before gets a number.

    >>> different(["a", "b", "a", "a"])
    ('a', 'b', 'a#2', 'a#3')
    """
    names = tuple(names)
    if len(taken := set(names)) == len(names):
        return names
    seen, made = set[str](), []
    for name in names:
        new, number = name, 1
        while new in seen or (number > 1 and new in taken):
            number += 1
            new = f"{name}#{number}"
        seen.add(new)
        made.append(new)
    return tuple(made)


def as_label(label: Any) -> str:
    """A label as text: of a number or an array with one number its digits, of bytes the text; "" of None and NaN.

    >>> as_label(np.uint8(7)), as_label(b"cat"), as_label(np.array([3])), as_label(2.0), as_label(float("nan"))
    ('7', 'cat', '3', '2', '')
    """
    if isinstance(label, str):
        return label
    if isinstance(label, bytes):
        return label.decode("utf-8", "replace")
    values = as_numpy(label) if hasattr(label, "__dlpack__") else np.asarray(label)
    if values.size != 1:
        raise ParameterError(
            f"a label of shape {values.shape} is not one for its image: give a number or a text, of one-hot rows "
            "labels.argmax(axis=1)"
        )
    value = values.reshape(-1)[0]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if value is None or (isinstance(value, float) and isnan(value)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def are_labels(values: Any) -> bool:
    """Whether an array holds one label for each of its rows: (N,) or (N, 1)."""
    shape = tuple(getattr(values, "shape", (len(values),)))
    return len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)


def label_record(labels: Sequence[str] | None, index: int) -> Mapping[str, str]:
    """The record of an image among those with these labels: empty where it has none, or where nothing has."""
    return {"label": labels[index]} if labels is not None and labels[index] else {}


def labels_as_text(labels: Any, count: int) -> tuple[str, ...] | None:
    """A label for each of `count` images; "" for one that has none, None or NaN.

    Raises:
        ParameterError: there are more or fewer, or something else than one for each image.
    """
    if labels is None:
        return None
    if len(labels) != count:
        raise ParameterError(f"there are {len(labels)} labels for {count} images; give one per image")
    if hasattr(labels, "shape"):
        labels = as_numpy(labels)
        if not are_labels(labels):
            raise ParameterError(
                f"labels have shape {labels.shape}, and one for each image is ({count},): of one-hot rows give "
                "labels.argmax(axis=1)"
            )
        labels = labels.reshape(-1).tolist()
    return tuple(map(as_label, labels))
