"""ConvTranspose: y = W^T x + b is the adjoint of a Conv with W, so dx = Conv(dy, W): no flip, no exchange."""

from ...ir.graph import Graph, Node
from ..registry import Cotangents, vjp

__all__ = ["input_padding"]


@vjp("ConvTranspose")
def conv_transpose(g: Graph, node: Node, dy: str) -> Cotangents:
    """Shapes: x (N, C, *in), W (C, M / groups, *kernel), dy (N, M, *out)."""
    x, w = node.inputs[:2]
    kernel = g.sizes(w)
    rank = len(kernel)
    strides = node.attr("strides", (1,) * rank)
    dilations = node.attr("dilations", (1,) * rank)
    groups = node.attr("group", 1)
    pads = input_padding(g, node, kernel, strides, dilations)
    whole = dy
    if min(pads) < 0:
        reached = [n + min(p, 0) for n, p in zip(g.sizes(node.outputs[0]), pads[rank:], strict=True)]
        dy = g.op("Slice", dy, g.ints([0] * rank), g.ints(reached), g.ints(range(2, rank + 2)))
        pads = tuple(max(p, 0) for p in pads)
    dx = dw = db = None
    if node.needs_gradient[0]:
        dx = g.op("Conv", dy, w, strides=strides, dilations=dilations, group=groups, pads=pads)
    if node.needs_gradient[1]:
        dw = _to_kernel(g, x, dy, groups, pads, strides, dilations, kernel)
    if len(node.needs_gradient) > 2 and node.needs_gradient[2]:
        db = g.op("ReduceSum", whole, g.ints([0, *range(2, rank + 2)]), keepdims=0)
    return [dx, dw, db][: len(node.inputs)]


def input_padding(
    g: Graph, node: Node, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...]
) -> tuple[int, ...]:
    """Padding such that Conv gives back exactly the input's sizes; a negative end is output that no input reached.

    Where it is worked out (output_shape, auto_pad), output_padding counts as padded too, and an odd pixel goes to the
    start, but for SAME_UPPER: so onnxruntime has it.
    """
    inputs, outputs = g.sizes(node.inputs[0]), g.sizes(node.outputs[0])
    rank = len(kernel)
    whole = [s * (i - 1) + d * (k - 1) + 1 for i, s, d, k in zip(inputs, strides, dilations, kernel, strict=True)]
    total = [w - o for w, o in zip(whole, outputs, strict=True)]
    auto = node.attr("auto_pad", "NOTSET")
    if auto in {"SAME_UPPER", "SAME_LOWER"} or node.attr("output_shape") is not None:
        more = node.attr("output_padding", (0,) * rank)
        pads = [max(t + m, 0) for t, m in zip(total, more, strict=True)]
        before = [f // 2 if auto == "SAME_UPPER" else f - f // 2 for f in pads]
    else:
        before = list(node.attr("pads", (0,) * rank)[:rank])
    return (*before, *(t - b for t, b in zip(total, before, strict=True)))


def _to_kernel(
    g: Graph, x: str, dy: str, groups: int, pads: tuple[int, ...], strides: tuple[int, ...],
    dilations: tuple[int, ...], kernel: tuple[int, ...],
) -> str:  # fmt: skip
    """Correlate dy with x: batch and channels exchanged, stride and dilation exchanged, one group after the other."""
    rank = len(kernel)
    swap = [1, 0, *range(2, rank + 2)]
    xs = g.ops("Split", groups, x, axis=1, num_outputs=groups) if groups > 1 else (x,)
    dys = g.ops("Split", groups, dy, axis=1, num_outputs=groups) if groups > 1 else (dy,)
    parts = []
    for one, other in zip(xs, dys, strict=True):
        dw = g.op(
            "Conv", g.op("Transpose", other, perm=swap), g.op("Transpose", one, perm=swap), pads=pads,
            strides=dilations, dilations=strides,
        )  # fmt: skip
        whole = g.op("Slice", dw, g.ints([0] * rank), g.ints(kernel), g.ints(range(2, rank + 2)))
        parts.append(g.op("Transpose", whole, perm=swap))
    return g.op("Concat", *parts, axis=0) if groups > 1 else parts[0]
