"""AveragePool: y is a window's mean, so each pixel of the window gets dy / count, the count known ahead of time."""

from math import prod
from typing import Any

import numpy as np

from ...ir.graph import FLOAT, Graph, Node
from ...ir.sliding_window import WindowGeometry, window_geometry
from ..registry import Cotangents, vjp


@vjp("AveragePool", since=7)
def average_pool(g: Graph, node: Node, dy: str) -> Cotangents:
    """The adjoint of summing over windows, applied to dy / count."""
    windows = window_geometry(g, node, tuple(node.attr("kernel_shape")))
    counts = _counts(windows, bool(node.attr("count_include_pad", 0)))
    if (counts == counts.flat[0]).all():
        share = g.op("Mul", dy, g.scalar(1 / counts.flat[0], dy))
    else:
        share = g.op("Div", dy, g.op("Cast", g.const(counts[None, None], np.float32), to=g.elem(dy)))
    return [spread(g, share, windows, g.sizes(node.inputs[0], [1])[0], node.inputs[0])]


def _counts(windows: WindowGeometry, with_padding: bool) -> np.ndarray[Any, Any]:
    """How many pixels each window averages: those of the image, or those of the image and its declared border."""
    total = np.ones((1,) * len(windows.kernel))
    for axis, outputs in enumerate(windows.outputs):
        start = np.arange(outputs)[:, None] * windows.strides[axis] - windows.before[axis]
        places = start + np.arange(windows.kernel[axis]) * windows.dilations[axis]
        low, high = (windows.before[axis], windows.after[axis]) if with_padding else (0, 0)
        count = ((places >= -low) & (places < windows.inputs[axis] + high)).sum(1)
        total = total * count.reshape([-1 if a == axis else 1 for a in range(len(windows.kernel))])
    return total


def spread(g: Graph, share: str, windows: WindowGeometry, channels: int, x: str) -> str:
    """The adjoint of summing over windows: `share` (N, C, *out) added to each pixel of its window of x."""
    size = prod(windows.kernel)
    tiles = windows.kernel == windows.strides and not any(windows.pads) and min(windows.remainder) >= 0
    if tiles and len(windows.kernel) == 2:
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        large = g.op("Resize", share, None, g.const([1, 1, *windows.kernel], np.float32), **how)
        rest = windows.remainder
        return g.op("Pad", large, g.ints([0, 0, 0, 0, 0, 0, *rest])) if any(rest) else large
    plain = windows.unit_stride and all(d == 1 for d in windows.dilations) and not any(windows.remainder)
    if plain:
        pads = [reach - p for reach, p in zip(windows.reach * 2, windows.pads, strict=True)]
        mean = g.op("AveragePool", share, kernel_shape=windows.kernel, pads=pads, count_include_pad=1)
        return g.op("Mul", mean, g.scalar(size, share))
    ones = g.derived_constant(
        f"ones:{channels}:{windows.kernel}", lambda: np.ones((channels, 1, *windows.kernel), np.float32)
    )
    ones = ones if g.elem(x) == FLOAT else g.op("Cast", ones, to=g.elem(x))
    ends = [a + max(-r, 0) for a, r in zip(windows.after, windows.remainder, strict=True)]
    return g.op(
        "ConvTranspose", share, ones, strides=windows.strides, dilations=windows.dilations, group=channels,
        pads=[*windows.before, *ends], output_padding=[max(r, 0) for r in windows.remainder],
    )  # fmt: skip
