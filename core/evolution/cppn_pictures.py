"""What CPPNs paint: all networks of a population computed together, position by position in their order.

Nodes are brought into the order of computation, so that position t of every network can be computed from positions 0 to
t - 1: one product of matrices for all networks, then each activation function once for the nodes that have it.
"""

from typing import Any, TypeAlias

import numpy as np

from ..operators import Size
from .activation_functions import FUNCTIONS
from .cppn import INPUTS, Cppns

__all__ = ["coordinates", "cppn_outputs"]

Values: TypeAlias = np.ndarray[Any, Any]

NUMBERS = 1 << 20
"""Numbers that are computed at once, so that they stay in a processor's cache."""


def coordinates(size: Size) -> Values:
    """(4, H * W): x and y from -1 at the first pixel's middle to 1 at the last one's, the distance sqrt(x^2 + y^2), 1.

    >>> coordinates((1, 3)).round(2).tolist()
    [[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [1.0, 0.0, 1.0], [1.0, 1.0, 1.0]]
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in size), indexing="ij")
    return np.stack([x.ravel(), y.ravel(), np.hypot(x, y).ravel(), np.ones(x.size)])


def cppn_outputs(population: Cppns, size: Size, dtype: Any = np.float32) -> Values:
    """The outputs of each network at each pixel, (B, outputs, H, W), in [-1, 1].

    Args:
        population: B networks.
        size: (H, W) in pixels.
        dtype: in which it is computed.
    """
    functions, weights, ends = _in_order(population)
    at = coordinates(size).astype(dtype)
    weights = weights.astype(dtype)
    count, steps = functions.shape
    out = np.empty((count, population.outputs, at.shape[1]), dtype)
    step = max(1, NUMBERS // (count * steps))
    for start in range(0, at.shape[1], step):
        values = _computed(functions, weights, at[:, start : start + step])
        out[:, :, start : start + step] = np.take_along_axis(values, ends[:, :, None], axis=1)
    return out.reshape(count, population.outputs, *size)


def _in_order(c: Cppns) -> tuple[Values, Values, Values]:
    """Functions (B, T) and weights (B, T, T) of nodes in the order of computation, and where the outputs are, (B, O).

    Nodes that no output is computed from come last, and are left out where no network needs that many.
    """
    live = c.live()
    live[:, :INPUTS] = True
    order = np.argsort(np.where(live, c.places, 2.0), axis=1, kind="stable")
    steps = int(live.sum(axis=1).max())
    kept = order[:, :steps]
    functions = np.where(np.take_along_axis(live, kept, axis=1), np.take_along_axis(c.functions, kept, axis=1), -1)
    weights = np.take_along_axis(np.take_along_axis(c.weights, kept[:, :, None], axis=1), kept[:, None, :], axis=2)
    ends = np.argsort(order, axis=1)[:, INPUTS : INPUTS + c.outputs]
    return functions, weights, ends


def _computed(functions: Values, weights: Values, at: Values) -> Values:
    """The values (B, T, P) of all nodes at P pixels."""
    count, steps = functions.shape
    values = np.zeros((count, steps, at.shape[1]), at.dtype)
    values[:, :INPUTS] = at
    for t in range(INPUTS, steps):
        total = (weights[:, t : t + 1, :t] @ values[:, :t])[:, 0]
        for number, function in enumerate(FUNCTIONS.values()):
            rows = functions[:, t] == number
            values[rows, t] = function(total[rows])
    return values
