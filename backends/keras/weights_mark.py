"""Whether a Keras model's weights, layers and activations are what they were, at the speed of memory."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.model.digest import content_mark

__all__ = ["FrozenWeights", "Structure", "refuse_changed", "structure", "weights_mark"]

Structure = Sequence[tuple[Any, ...]]
"""Each layer with its activation and its variables."""


class FrozenWeights:
    """A network whose variables were frozen into constants: nothing of it changes."""

    constants: Mapping[str, Any]

    @property
    def variables(self) -> Sequence[Any]:
        """Its constants."""
        return [*self.constants.values()]

    def weights_mark(self) -> Hashable:
        """Always the same."""
        return ()

    def structure(self) -> Structure:
        """Always the same."""
        return ()


def weights_mark(net: Any) -> Hashable:
    """By the content of each variable: TensorFlow counts no writes."""
    return tuple(content_mark(_read(variable.value)) for variable in net.weights)


def _read(value: Any) -> "np.ndarray[Any, Any]":
    """The values of a variable, without a copy where TensorFlow lets its memory be seen."""
    if not hasattr(value, "handle"):
        return np.asarray(value.numpy())
    tensor = tf.raw_ops.ReadVariableOp(resource=value.handle, dtype=value.dtype)
    try:
        return np.asarray(memoryview(tensor))
    except (TypeError, ValueError, BufferError):  # bfloat16
        return np.asarray(tensor.numpy())


def structure(net: Any) -> Structure:
    """What traced functions hold on to: layers, their activations, and their variables."""
    return [
        (layer, vars(layer).get("activation"), *layer._trainable_variables, *layer._non_trainable_variables)
        for layer in net._flatten_layers()
    ]


def refuse_changed(before: Structure, now: Structure) -> None:
    """Refuse a model that is not the one that was traced but for the values of its variables.

    Raises:
        ModelError: with the first layer that is another.
    """
    for old, new in zip(before, now, strict=False):
        if len(old) != len(new) or any(a is not b for a, b in zip(old, new, strict=True)):
            what = "another activation or other variables" if old[0] is new[0] else f"become {new[0].name!r}"
            raise _changed(f"layer {old[0].name!r} has {what}")
    if len(before) != len(now):
        raise _changed(f"it has {len(now)} layers, and had {len(before)}")


def _changed(what: str) -> ModelError:
    return ModelError(f"the model changed since crosslens.wrap: {what}; wrap it again: crosslens.wrap(net)")
