"""Adding up numbers at indices of a tensor of zeros, as the derivatives of all operators that read at indices do."""

from typing import Any

from ...ir.graph import DOUBLE, FLOAT, Graph

__all__ = ["scatter_add"]


def scatter_add(g: Graph, zeros: str, indices: str, updates: str, axis: int | None) -> str:
    """ScatterElements that adds, or ScatterND without an axis; in float32 where onnxruntime adds no narrower floats.

    Args:
        zeros: of the element type that comes back.
        indices: int64, as the operator takes them.
    """
    how: dict[str, Any] = {"reduction": "add"} if axis is None else {"reduction": "add", "axis": axis}
    op, elem = "ScatterND" if axis is None else "ScatterElements", g.elem(zeros)
    if elem in {FLOAT, DOUBLE}:
        return g.op(op, zeros, indices, updates, **how)
    base, values = (g.op("Cast", name, to=FLOAT) for name in (zeros, updates))
    return g.op("Cast", g.op(op, base, indices, values, **how), to=elem)
