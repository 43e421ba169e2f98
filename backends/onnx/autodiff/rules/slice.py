"""Slice: dy goes back to where it was cut from, zeros elsewhere."""

import numpy as np

from ...ir.graph import DynamicShapeError, Graph, Node
from ..registry import Cotangents, vjp
from ._zero_padding import pad_zeros


@vjp("Slice", since=10)
def slice_(g: Graph, node: Node, dy: str) -> Cotangents:
    """Steps of one: a Pad. Other steps: each place takes its row of dy or one of zeros."""
    x = node.inputs[0]
    rank = g.rank(x)
    starts, ends = (_values(g, node, p) for p in (1, 2))
    axes = _values(g, node, 3) if node.has(3) else range(len(starts))
    steps = _values(g, node, 4) if node.has(4) else [1] * len(starts)
    pads = {}
    for start, end, axis, step in zip(starts, ends, (a % rank for a in axes), steps, strict=True):
        size = g.sizes(x, [axis])[0]
        chosen = range(size)[slice(start, end if end > -(2**31) else None, step)]
        if len(chosen) == size and step == 1:
            continue
        if step != 1:
            dy = _spread(g, dy, rank, axis, chosen, size)
        else:
            pads[axis] = chosen.start, size - chosen.stop
    return [pad_zeros(g, dy, rank, pads)]


def _values(g: Graph, node: Node, position: int) -> list[int]:
    value = g.value(node.inputs[position])
    if value is None:
        raise DynamicShapeError(f"{node.name!r} is cut at places that are computed")
    return [int(v) for v in np.ravel(value)]


def _spread(g: Graph, dy: str, rank: int, axis: int, chosen: range, size: int) -> str:
    """dy at the chosen places of an axis: a row of zeros is appended, and every place takes its row or that one."""
    rows = np.full(size, len(chosen))
    rows[list(chosen)] = np.arange(len(chosen))
    return g.op("Gather", pad_zeros(g, dy, rank, {axis: (0, 1)}), g.ints(rows), axis=axis)
