"""Scatter with addition, the adjoint of all operators that read at indices."""

from typing import Any

from ...ir.graph import DOUBLE, FLOAT, Graph

__all__ = ["scatter_add"]


def scatter_add(g: Graph, zeros: str, indices: str, updates: str, axis: int | None) -> str:
    """Add updates to zeros at indices: ScatterElements, or ScatterND if axis is None.

    It computes in float32, for onnxruntime cannot add narrower floats here.

    Args:
        g: the graph to append to.
        zeros: of the result's shape and element type.
        indices: int64, as the operator takes them.
        updates: the values to add.
        axis: of ScatterElements.
    """
    how: dict[str, Any] = {"reduction": "add"} if axis is None else {"reduction": "add", "axis": axis}
    op, elem = "ScatterND" if axis is None else "ScatterElements", g.elem(zeros)
    if elem in {FLOAT, DOUBLE}:
        return g.op(op, zeros, indices, updates, **how)
    base, values = (g.op("Cast", name, to=FLOAT) for name in (zeros, updates))
    return g.op("Cast", g.op(op, base, indices, values, **how), to=elem)
