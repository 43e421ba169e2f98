"""Gather: rows of x along an axis; each row gets the sum of the cotangents of its copies."""

from typing import Any

import numpy as np

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp
from ._scatter_add import scatter_add
from ._zero_padding import pad_zeros


@vjp("Gather")
def gather(g: Graph, node: Node, dy: str) -> Cotangents:
    """Constant indices without repetition: a Gather or Pad of rows of dy and zeros; else a scatter with addition."""
    x, indices = node.inputs
    axis = node.attr("axis") % g.rank(x)
    value = g.value(indices)
    rank = g.rank(indices)
    if rank == 0:
        dy = g.op("Unsqueeze", dy, g.ints([axis]))
    elif rank > 1:
        dy = g.op("Reshape", dy, g.ints([*(0,) * axis, -1, *g.sizes(x, slice(axis + 1, None))]))
    (size,) = g.dims(x)[axis : axis + 1]
    if value is not None and isinstance(size, int) and len(set((value % size).ravel().tolist())) == value.size:
        return [_in_order(g, dy, value.ravel() % size, axis, size, g.rank(x)), None]
    return [_scatter(g, x, dy, indices, axis), None]


def _in_order(g: Graph, dy: str, indices: np.ndarray[Any, Any], axis: int, size: int, rank: int) -> str:
    if len(indices) and (np.diff(indices) == 1).all():
        return pad_zeros(g, dy, rank, {axis: (int(indices[0]), size - 1 - int(indices[-1]))})
    rows = np.full(size, len(indices))
    rows[indices] = np.arange(len(indices))
    if (rows == len(indices)).any():
        dy = pad_zeros(g, dy, rank, {axis: (0, 1)})
    return g.op("Gather", dy, g.ints(rows), axis=axis)


def _scatter(g: Graph, x: str, dy: str, indices: str, axis: int) -> str:
    wide = g.op("Reshape", indices, g.ints([-1 if a == axis else 1 for a in range(g.rank(x))]))
    everywhere = g.op("Expand", wide, g.op("Shape", dy))
    return scatter_add(g, g.zeros_like(x), everywhere, dy, axis)
