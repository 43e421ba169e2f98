"""DynamicQuantizeLSTM: an LSTM of weights in bytes; what onnxruntime rounds on the way through it stays in floats."""

from typing import Any

import numpy as np

from ...ir.graph import Graph, Node
from ..fused_operators import expands

Values = np.ndarray[Any, Any]


@expands("DynamicQuantizeLSTM")
def dynamic_quantize_lstm(g: Graph, node: Node) -> tuple[str, ...] | None:
    """Inputs: those of LSTM, kernels with features before gates, then scale and zero point of both kernels."""
    x, w, r, *rest = (*node.inputs[:8],)
    values = [g.value(name) for name in (w, r, *node.inputs[8:12])]
    if any(value is None for value in values):
        return None
    kernel, recurrent, *quantised = (value for value in values if value is not None)
    ours = [
        g.derived_constant(f"{name}:floats:{node.outputs[0]}", lambda q=steps, s=scale, z=zero: _floats(q, s, z))  # type: ignore[misc]
        for name, steps, scale, zero in ((w, kernel, *quantised[:2]), (r, recurrent, *quantised[2:]))
    ]
    return g.ops("LSTM", 3, x, *ours, *rest, **{key: node.attr(key) for key in node.attributes})


def _floats(steps: Values, scale: Values, zero: Values) -> Values:
    """From (directions, features, 4 hidden) to (directions, 4 hidden, features)."""
    scale, zero = (v.astype(np.float32).reshape(len(steps), 1, -1) for v in (scale, zero))
    return ((steps.astype(np.float32) - zero) * scale).transpose(0, 2, 1)
