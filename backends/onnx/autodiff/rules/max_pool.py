"""MaxPool: dy goes to the first maximum of each window, as in PyTorch; exact at ties, which constant areas produce.

Windows that do not overlap: the maxima are where x equals y, ties are broken by a rank within the window. All other
windows: the indices that MaxPool itself reports, and a scatter that adds.
"""

from math import prod

import numpy as np

from ...ir.graph import Graph, Node
from ...ir.sliding_window import WindowGeometry, window_geometry
from ..registry import Cotangents, vjp
from ._masks import between
from ._scatter_add import scatter_add


@vjp("MaxPool", since=8)
def max_pool(g: Graph, node: Node, dy: str, *_: str | None) -> Cotangents:
    """Shapes: x (N, C, *in), dy (N, C, *out)."""
    windows = window_geometry(g, node, tuple(node.attr("kernel_shape")))
    tiles = windows.kernel == windows.strides and not any(windows.pads) and min(windows.remainder) >= 0
    if tiles and len(windows.kernel) == 2 and prod(windows.kernel) > 1:
        return [_of_a_rectifier(g, node, dy, windows) or _by_comparing(g, node, dy, windows)]
    return [_by_scattering(g, node, dy)]


def _of_a_rectifier(g: Graph, node: Node, dy: str, windows: WindowGeometry) -> str | None:
    """Behind a Relu: its mask is applied to the few numbers of dy, for the largest of a window is 0 only if all are."""
    x = node.inputs[0]
    before = g.producer(x)
    if not g.exact_rectifiers or x in g.wrt or before is None or before.op != "Relu":
        return None
    dx = _by_comparing(g, node, g.op("Mul", dy, between(g, node.outputs[0], 0.0, None)), windows)
    g.masked[dx] = x
    return dx


def _by_comparing(g: Graph, node: Node, dy: str, windows: WindowGeometry) -> str:
    x, y = node.inputs[0], node.outputs[0]
    covered = tuple(k * o for k, o in zip(windows.kernel, windows.outputs, strict=True))
    if any(windows.remainder):
        x = g.op("Slice", x, g.ints([0, 0]), g.ints(covered), g.ints([2, 3]))
    rank = np.tile(np.arange(prod(windows.kernel), 0, -1).reshape(windows.kernel), windows.outputs)
    ranks = g.derived_constant(f"ranks:{windows.kernel}{windows.outputs}", lambda: rank[None, None].astype(np.float32))
    equal = g.op("Cast", g.op("Equal", _repeat_over_windows(g, y, windows), x), to=1)
    order = g.op("Mul", equal, ranks)
    first = g.op("MaxPool", order, kernel_shape=windows.kernel, strides=windows.strides)
    mask = g.op("Cast", g.op("Equal", _repeat_over_windows(g, first, windows), order), to=g.elem(y))
    dx = g.op("Mul", _repeat_over_windows(g, dy, windows), mask)
    if any(windows.remainder):
        dx = g.op("Pad", dx, g.ints([0, 0, 0, 0, 0, 0, *windows.remainder]))
    return dx


def _repeat_over_windows(g: Graph, tensor: str, windows: WindowGeometry) -> str:
    scales = g.const([1, 1, *windows.kernel], np.float32)
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return g.op("Resize", tensor, None, scales, **how)


def _by_scattering(g: Graph, node: Node, dy: str) -> str:
    x = node.inputs[0]
    names = ("kernel_shape", "strides", "pads", "dilations", "auto_pad", "ceil_mode")
    how = {name: node.attr(name) for name in names if name in node.attributes}
    _, indices = g.ops("MaxPool", 2, x, **how)
    flat = g.ints([-1])
    zeros = g.op("Reshape", g.zeros_like(x), flat)
    added = scatter_add(g, zeros, g.op("Reshape", indices, flat), g.op("Reshape", dy, flat), 0)
    return g.reshape_like(added, x)
