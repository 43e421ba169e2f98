"""The accounts of kernel rules at `ABSORBED`: what biases and stabilisers took of each image's relevance.

Both are sums over channels of a constant times the sum over positions of a tensor that the backward pass mostly has
anyway: with c = R_i / stabilised(y_i), the bias took the sum of bias * c, and the stabiliser s that of R_i - c y_i =
s c sign(y_i). So each layer adds up positions, and one small product for all layers does the rest.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeAlias

import numpy as np
from onnx import TensorProto

from ....ir.graph import FLOAT, Graph
from .linear_map import LinearMap

__all__ = ["Accounts"]

Floats: TypeAlias = np.ndarray[Any, Any]


class Accounts:
    """Sums (N, out) of all layers with rules, and their constants (out, 2), while gradients are appended."""

    def __init__(self, graph: Graph, label: str) -> None:
        """Start with none.

        Args:
            graph: to append to.
            label: of the rules, for the names of constants.
        """
        self._graph, self._label = graph, label
        self._sums: list[str] = []
        self._constants: list[Floats] = []

    def add(self, kernel: LinearMap, values: str, bias: Floats | float = 0.0, kept: Floats | float = 0.0) -> None:
        """Count a tensor of the shape of y, summed over its positions; nothing if both constants are 0.

        Args:
            kernel: the layer's.
            values: the tensor.
            bias: (out,) or one number: times this, biases took it.
            kept: likewise, no branch passes it on.
        """
        if not (np.any(bias) or np.any(kept)):
            return
        g, axes, channels = self._graph, kernel.positions, kernel.channels
        if g.elem(values) not in {FLOAT, TensorProto.DOUBLE}:
            values = g.op("Cast", values, to=FLOAT)  # half a float is too short for sums
        if axes:
            values = g.op("ReduceSum", values, g.ints(axes), keepdims=0)
        self._sums.append(values if g.elem(values) == FLOAT else g.op("Cast", values, to=FLOAT))
        columns: Iterable[Floats] = (np.broadcast_to(np.asarray(each), (channels,)) for each in (bias, kept))
        self._constants.append(np.stack(list(columns), 1).astype(np.float32))

    def total(self, image: str) -> str:
        """(N, 2): what biases took, and the relevance that no branch has passed on.

        Args:
            image: a tensor with the batch first.
        """
        g = self._graph
        if not self._sums:
            count = g.op("Shape", image, start=0, end=1)
            return g.op("Expand", g.const(0, np.float32), g.op("Concat", count, g.ints([2]), axis=0))
        sums = g.op("Concat", *self._sums, axis=1) if len(self._sums) > 1 else self._sums[0]
        held = np.concatenate(self._constants)
        name = f"{self._label}:accounts:{blake2b(held.tobytes(), digest_size=16).hexdigest()}"
        return g.op("MatMul", sums, g.derived_constant(name, lambda: held))
