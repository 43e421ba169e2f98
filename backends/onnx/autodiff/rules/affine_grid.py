"""AffineGrid: grid = base theta' at each place, base its homogeneous coordinates in [-1, 1], so dtheta = dgrid' base.

Shapes: theta (N, 2, 3) and grid (N, H, W, 2), or (N, 3, 4) and (N, D, H, W, 3); coordinates are x, y, z and 1.
Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025, equation 1.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp


@vjp("AffineGrid", since=20)
def affine_grid(g: Graph, node: Node, dy: str) -> Cotangents:
    """The last axis of places is x."""
    (y,) = node.outputs
    sizes = g.sizes(y, slice(1, -1))
    dtype = helper.tensor_dtype_to_np_dtype(g.elem(y))
    base = g.const(_base(sizes, bool(node.attr("align_corners", 0))), dtype)
    flat = g.op("Reshape", dy, g.ints([0, -1, len(sizes)]))
    return [g.op("MatMul", g.op("Transpose", flat, perm=[0, 2, 1]), base), None]


def _base(sizes: Sequence[int], aligned: bool) -> np.ndarray[Any, Any]:
    """Coordinates of all places, the last axis first, and ones: (places, axes + 1).

    The only place of an axis is at 0; aligned, onnxruntime has it at 1.
    """
    steps = [np.linspace(1, -1, n)[::-1] if aligned else (2 * np.arange(n) + 1) / n - 1 for n in sizes]
    places = np.meshgrid(*steps, indexing="ij")
    return np.stack([*(place.ravel() for place in places[::-1]), np.ones(places[0].size)], axis=1)
