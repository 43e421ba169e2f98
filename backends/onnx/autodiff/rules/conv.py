"""Conv: y = W * x + b, a correlation, so dx is dy correlated with the flipped kernel, channels exchanged.

With stride 1 that is a Conv again, whose blocked kernels are fast. With strides it is a ConvTranspose whose output
padding is the remainder that no window reached; but for depthwise kernels a Conv over dy spread apart (1 ms against 10
for 5x5 over 144 maps of 56x56). dW is a Conv too, with batch and channels exchanged.
"""

from typing import Any

import numpy as np

from ...ir.graph import FLOAT, Graph, Node
from ...ir.sliding_window import WindowGeometry, window_geometry
from ..registry import Cotangents, vjp

FEW_CHANNELS = 16
"""Below, ungrouped, ConvTranspose won over Conv with the flipped kernel."""


@vjp("Conv")
def conv(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, *in), W (M, C / groups, *kernel), dy (N, M, *out)."""
    x, w = node.inputs[:2]
    windows = window_geometry(g, node, g.sizes(w))
    groups = node.attr("group", 1)
    dx = _to_input(g, w, dy, windows, groups) if node.needs_gradient[0] else None
    dw = _to_kernel(g, x, w, dy, windows, groups) if node.needs_gradient[1] else None
    db = None
    if len(node.needs_gradient) > 2 and node.needs_gradient[2]:
        db = g.op("ReduceSum", dy, g.ints([0, *range(2, g.rank(x))]), keepdims=0)
    return [dx, dw, db][: len(node.inputs)]


def _to_input(g: Graph, w: str, dy: str, windows: WindowGeometry, groups: int) -> str:
    value = g.value(w)
    pads = tuple(reach - p for reach, p in zip(windows.reach * 2, windows.pads, strict=True))
    few = groups == 1 and g.sizes(w, [1])[0] < FEW_CHANNELS
    if value is not None and windows.unit_stride and min(pads) >= 0 and not few:
        kernel = _turned_kernel(g, w, value, groups)
        return g.op("Conv", dy, kernel, pads=pads, dilations=windows.dilations, group=groups)
    sizes = zip(windows.inputs, windows.strides, windows.outputs, windows.before, strict=True)
    spread = (*pads[: len(windows.kernel)], *(i - s * o + b for i, s, o, b in sizes))
    depthwise = g.sizes(w, [0, 1]) == (groups, 1) and len(windows.kernel) == 2
    if value is not None and depthwise and min(spread) >= 0:
        kernel = _turned_kernel(g, w, value, groups)
        return g.op("Conv", _apart(g, dy, windows), kernel, pads=spread, dilations=windows.dilations, group=groups)
    return g.op(
        "ConvTranspose", dy, w, strides=windows.strides, dilations=windows.dilations, group=groups, pads=windows.pads,
        output_padding=windows.remainder,
    )  # fmt: skip


def _apart(g: Graph, dy: str, windows: WindowGeometry) -> str:
    """dy with zeros between its pixels, as far apart as the windows were: pixels repeated, all but one masked out."""
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    repeated = g.op("Resize", dy, None, g.const([1, 1, *windows.strides], np.float32), **how)
    one = np.zeros(windows.strides, np.float32)
    one[0, 0] = 1
    mask = g.derived_constant(
        f"apart:{windows.strides}{windows.outputs}", lambda: np.tile(one, windows.outputs)[None, None]
    )
    return g.op("Mul", repeated, g.op("Cast", mask, to=g.elem(dy)) if g.elem(dy) != FLOAT else mask)


def _turned_kernel(g: Graph, w: str, value: np.ndarray[Any, Any], groups: int) -> str:
    """As `flipped`; if there is one group, by onnxruntime at opening, which keeps the kernel in its own layout only."""
    if groups > 1:
        return g.derived_constant(f"{w}:flipped{groups}", lambda: flipped(value, groups))
    axes = range(2, value.ndim)
    exchanged = g.op("Transpose", w, perm=[1, 0, *axes])
    if value[0, 0].size == 1:
        return exchanged
    back, whole = g.ints(-1 for _ in axes), g.ints(-1 - n for n in value.shape[2:])
    return g.op("Slice", exchanged, back, whole, g.ints(axes), back)


def flipped(kernel: np.ndarray[Any, Any], groups: int) -> np.ndarray[Any, Any]:
    """(M, C / groups, *k) turned round in space, inputs and outputs exchanged: (C, M / groups, *k)."""
    outputs, inputs, *size = kernel.shape
    split = kernel.reshape(groups, outputs // groups, inputs, *size).swapaxes(1, 2)
    turned = split.reshape(groups * inputs, outputs // groups, *size)
    return np.flip(turned, axis=tuple(range(2, turned.ndim)))


def _to_kernel(g: Graph, x: str, w: str, dy: str, windows: WindowGeometry, groups: int) -> str:
    """Correlate x with dy: batch and channels exchanged, stride and dilation exchanged, one group after the other."""
    rank = g.rank(x)
    swap = [1, 0, *range(2, rank)]
    xs = g.ops("Split", groups, x, axis=1, num_outputs=groups) if groups > 1 else (x,)
    dys = g.ops("Split", groups, dy, axis=1, num_outputs=groups) if groups > 1 else (dy,)
    cut = [i for i, r in enumerate(windows.remainder) if r]
    parts = []
    for one, other in zip(xs, dys, strict=True):
        dw = g.op(
            "Conv", g.op("Transpose", one, perm=swap), g.op("Transpose", other, perm=swap), pads=windows.pads,
            strides=windows.dilations, dilations=windows.strides,
        )  # fmt: skip
        if cut:
            axes = [axis + 2 for axis in cut]
            ends = [windows.kernel[axis] for axis in cut]
            dw = g.op("Slice", dw, g.ints([0] * len(cut)), g.ints(ends), g.ints(axes))
        parts.append(g.op("Transpose", dw, perm=swap))
    return g.op("Concat", *parts, axis=0) if groups > 1 else parts[0]
