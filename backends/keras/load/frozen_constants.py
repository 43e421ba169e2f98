"""The big constants of a frozen graph, kept beside it so that all functions that are traced share them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["Constant", "extract_constants"]

_SMALL = 16
"""Constants of fewer elements stay in the graph: they are axes, shapes and scalars that TensorFlow folds."""


@dataclass(frozen=True)
class Constant:
    """What was a variable before the function was frozen; shared by all traced functions."""

    name: str
    values: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Its axes, in TensorFlow's order."""
        return tuple(self.values.shape)

    @property
    def dtype(self) -> Any:
        """TensorFlow's data type."""
        return self.values.dtype

    @property
    def value(self) -> Any:
        """The tensor."""
        return self.values


def extract_constants(definition: Any) -> tuple[Any, dict[str, Constant]]:
    """The graph with its big constants turned into placeholders, and those constants."""
    constants = {}
    for node in definition.node:
        if node.op != "Const":
            continue
        tensor = node.attr["value"].tensor
        if np.prod([d.size for d in tensor.tensor_shape.dim]) < _SMALL and "/" in node.name:
            continue
        values = tf.make_ndarray(tensor)
        if values.dtype.kind != "f":
            continue
        constants[node.name] = Constant(node.name, tf.constant(values))
        dtype = node.attr["dtype"].type
        node.op = "Placeholder"
        node.attr.clear()
        node.attr["dtype"].type = dtype
        node.attr["shape"].shape.CopyFrom(tf.TensorShape(values.shape).as_proto())
    return definition, constants
