"""Layers given as Keras' own objects: a layer, a node of a functional graph, or the tensor that one gives."""

from typing import Any

import keras

__all__ = ["operation_of"]


def operation_of(net: Any, layer: object) -> Any:
    """The layer of this network, or the node of its graph, that an object is or comes from; None if there is none.

    A SavedModel has none.
    """
    if not isinstance(net, keras.Model):
        return None
    operation = layer._keras_history.operation if isinstance(layer, keras.KerasTensor) else layer
    parts = (*net._flatten_layers(include_self=False), *getattr(net, "operations", ()))
    return operation if any(operation is part for part in parts) else None
