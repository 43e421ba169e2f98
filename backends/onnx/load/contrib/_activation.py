"""The activation at the end of a fused operator, as a node of its own, so that methods find the rectifier."""

from collections.abc import Mapping
from typing import Any

from ...ir.graph import Graph
from ..fused_operators import first_typed

__all__ = ["append_activation"]


def append_activation(
    g: Graph, y: str, activation: str | None, parameters: Mapping[str, float], typed: tuple[str, ...]
) -> str:
    """f(y), or y where there is no activation.

    Args:
        activation: a standard operator of one input, or "Clip", whose bounds became inputs with opset 11.
        parameters: its attributes, or the bounds "min" and "max".
        typed: tensors of the element type of y, one of which is known.
    """
    if not activation:
        return y
    if activation != "Clip":
        attributes: dict[str, Any] = dict(parameters)
        return g.op(activation, y, **attributes)
    bounds = (g.scalar(parameters[bound], first_typed(g, *typed)) for bound in ("min", "max"))
    return g.op("Clip", y, *bounds)
