"""DeformConv: a Conv whose reads are each moved by an offset and weighed by a mask: y = W m s, s read between pixels.

So dW = dy (m s)', d(m s) = W' dy, and what flows to the reads s goes to x and to the offsets as GridSample has it.
Dai et al. 2017, https://arxiv.org/abs/1703.06211, equations 2 and 3; Zhu et al. 2018, https://arxiv.org/abs/1811.11168.
"""

from dataclasses import dataclass, replace

import numpy as np
from onnx import helper

from ...ir.graph import Graph, Node, Type
from ...ir.sliding_window import WindowGeometry, window_geometry
from ..registry import Cotangents, rule_for, vjp


@dataclass(frozen=True)
class _Sizes:
    """Of one DeformConv: windows, channels in, groups that share a kernel, groups that share offsets."""

    windows: WindowGeometry
    channels: int
    groups: int
    moved: int

    @property
    def kernel(self) -> int:
        """Reads of one window."""
        return int(np.prod(self.windows.kernel))

    def reads(self, g: Graph) -> str:
        """The shape (N, moved, C / moved, h * w, H', W') of what is read."""
        return g.ints([-1, self.moved, self.channels // self.moved, self.kernel, *self.windows.outputs])


@vjp("DeformConv", since=19)
def deform_conv(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, H, W), W (M, C / groups, h, w), offsets (N, moved * h * w * 2, *out), rows before columns."""
    x, w, offset = node.inputs[:3]
    windows = window_geometry(g, replace(node, outputs=(offset,)), g.sizes(w))
    of = _Sizes(windows, g.sizes(x, [1])[0], node.attr("group"), node.attr("offset_group"))
    maps, grid = _maps(g, x, of), _grid(g, offset, of)
    sampled = g.node("GridSample", maps, grid, outputs=[g.unique_name("GridSample:d")])
    g.nodes.append(sampled)
    reads = g.op("Reshape", sampled.outputs[0], of.reads(g))
    shape = g.ints([-1, of.moved, 1, of.kernel, *windows.outputs])
    mask = g.op("Reshape", node.inputs[4], shape) if node.has(4) else None
    rows = g.op("Reshape", dy, g.ints([0, of.groups, g.sizes(w, [0])[0] // of.groups, -1]))
    dreads = _to_reads(g, w, rows, of)
    dmask = dw = db = None
    if mask is not None and node.needs_gradient[4]:
        each = g.op("ReduceSum", g.op("Mul", dreads, reads), g.ints([2]), keepdims=0)
        dmask = g.reshape_like(each, node.inputs[4])
    if node.needs_gradient[1]:
        dw = _to_kernel(g, w, reads if mask is None else g.op("Mul", reads, mask), rows, of)
    if len(node.needs_gradient) > 3 and node.needs_gradient[3]:
        db = g.op("ReduceSum", dy, g.ints([0, 2, 3]), keepdims=0)
    dx, doffset = _through_reads(g, node, sampled, dreads if mask is None else g.op("Mul", dreads, mask), of)
    return [dx, dw, doffset, db, dmask][: len(node.inputs)]


def _maps(g: Graph, x: str, of: _Sizes) -> str:
    """x with each group of channels that is moved alike as an image: (N * moved, C / moved, H, W)."""
    shape = of.channels // of.moved, *of.windows.inputs
    maps = g.op("Reshape", x, g.ints([-1, *shape]))
    g.types[maps] = Type(g.elem(x), (f"{maps}:0", *shape))
    return maps


def _grid(g: Graph, offset: str, of: _Sizes) -> str:
    """Where the windows read, (N * moved, h * w * H', W', 2), columns first, -1 and 1 the edges of the image."""
    windows, dtype = of.windows, helper.tensor_dtype_to_np_dtype(g.elem(offset))
    high, wide = windows.outputs
    moved = g.op("Reshape", offset, g.ints([-1, of.kernel, 2, high, wide]))
    position = g.op("Add", moved, g.const(_at_rest(windows), dtype))
    pixel = 2 / np.reshape(windows.inputs, (2, 1, 1))
    scaled = g.op("Add", g.op("Mul", position, g.const(pixel, dtype)), g.const(pixel / 2 - 1, dtype))
    rows, columns = g.ops("Split", 2, scaled, axis=2, num_outputs=2)
    turned = g.op("Transpose", g.op("Concat", columns, rows, axis=2), perm=[0, 1, 3, 4, 2])
    grid = g.op("Reshape", turned, g.ints([-1, of.kernel * high, wide, 2]))
    g.types[grid] = Type(g.elem(offset), (f"{grid}:0", of.kernel * high, wide, 2))
    return grid


def _at_rest(windows: WindowGeometry) -> np.ndarray:
    """(h * w, 2, H', W'): row and column of each read where the offset is 0."""
    steps = zip(windows.outputs, windows.kernel, windows.strides, windows.dilations, windows.before, strict=True)
    rows, columns = (np.arange(o) * s - b + (np.arange(k) * d)[:, None] for o, k, s, d, b in steps)
    both = np.broadcast_arrays(rows[:, None, :, None], columns[None, :, None, :])
    return np.stack(both, 2).reshape(-1, 2, *windows.outputs)


def _to_reads(g: Graph, w: str, rows: str, of: _Sizes) -> str:
    """W' dy, (N, moved, C / moved, h * w, H', W')."""
    kernel = g.op("Reshape", w, g.ints([of.groups, g.sizes(w, [0])[0] // of.groups, -1]))
    return g.op("Reshape", g.op("MatMul", g.op("Transpose", kernel, perm=[0, 2, 1]), rows), of.reads(g))


def _to_kernel(g: Graph, w: str, reads: str, rows: str, of: _Sizes) -> str:
    shape = [-1, of.groups, of.channels // of.groups * of.kernel, int(np.prod(of.windows.outputs))]
    columns = g.op("Reshape", reads, g.ints(shape))
    each = g.op("MatMul", rows, g.op("Transpose", columns, perm=[0, 1, 3, 2]))
    return g.op("Reshape", g.op("ReduceSum", each, g.ints([0]), keepdims=0), g.ints(g.sizes(w, slice(None))))


def _through_reads(g: Graph, node: Node, reads: Node, dreads: str, of: _Sizes) -> tuple[str | None, str | None]:
    """The cotangents of x and of the offsets."""
    derivative = (rule := rule_for(reads)) and rule.derivative
    assert derivative
    high, wide = of.windows.outputs
    rows = g.op("Reshape", dreads, g.ints([-1, of.channels // of.moved, of.kernel * high, wide]))
    dmaps, dgrid = derivative(g, replace(reads, needs_gradient=(node.needs_gradient[0], node.needs_gradient[2])), rows)
    dx = g.reshape_like(dmaps, node.inputs[0]) if dmaps and node.needs_gradient[0] else None
    if dgrid is None:
        return dx, None
    turned = g.op("Transpose", g.op("Reshape", dgrid, g.ints([-1, of.kernel, high, wide, 2])), perm=[0, 1, 4, 2, 3])
    columns, rows = g.ops("Split", 2, turned, axis=2, num_outputs=2)
    dtype = helper.tensor_dtype_to_np_dtype(g.elem(reads.inputs[1]))
    pixels = g.const(2 / np.reshape(of.windows.inputs, (2, 1, 1)), dtype)
    return dx, g.reshape_like(g.op("Mul", g.op("Concat", rows, columns, axis=2), pixels), node.inputs[2])
