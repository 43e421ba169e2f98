"""GroupNorm: y = f(scale h + offset), h normalised over each group of channels; SkipGroupNorm: that of x + skip + bias.

Channels stand last unless said; f is SiLU or none. Wu and He 2018, https://arxiv.org/abs/1803.08494.
"""

import numpy as np
from onnx import helper

from ...ir.graph import Graph, Node
from ..fused_operators import UnknownTypeError, expands, first_typed

_TO_FIRST, _TO_LAST = (0, 3, 1, 2), (0, 2, 3, 1)


@expands("GroupNorm")
def group_norm(g: Graph, node: Node) -> list[str]:
    """Inputs: x, scale, offset, the last two (C,), in float32 beside halves too."""
    return [_normalise(g, node, node.inputs[0])]


@expands("SkipGroupNorm")
def skip_group_norm(g: Graph, node: Node) -> list[str]:
    """Further inputs: skip, of the shape of x or (N, C), and bias (C,); the sum is the second output."""
    x, skip, last = node.inputs[0], node.inputs[3], bool(node.attr("channels_last", 1))
    if skip not in g.types or g.types[skip].dims is None:
        raise UnknownTypeError(f"the rank of {skip!r} is not known")
    if g.rank(skip) == 2:
        skip = g.op("Unsqueeze", skip, g.ints([1, 2] if last else [2, 3]))
    total = g.op("Add", x, skip)
    if node.has(4):
        bias = node.inputs[4]
        total = g.op("Add", total, bias if last else g.op("Reshape", bias, g.ints([-1, 1, 1])))
    return [_normalise(g, node, total), total]


def _normalise(g: Graph, node: Node, x: str) -> str:
    typed, last = first_typed(g, node.inputs[0], x), bool(node.attr("channels_last", 1))
    first = g.op("Transpose", x, perm=_TO_FIRST) if last else x
    ones = np.ones(node.attr("groups"))
    dtype = helper.tensor_dtype_to_np_dtype(g.elem(typed))
    flat = g.op("Reshape", first, g.ints([0, node.attr("groups"), -1]))
    epsilon = node.attr("epsilon", 1e-5)
    h = g.op("InstanceNormalization", flat, g.const(ones, dtype), g.const(0 * ones, dtype), epsilon=epsilon)
    scale, offset = (g.op("Reshape", g.op("Cast", i, to=g.elem(typed)), g.ints([-1, 1, 1])) for i in node.inputs[1:3])
    y = g.op("Add", g.op("Mul", g.op("Reshape", h, _shape(g, node.inputs[0], first, last)), scale), offset)
    y = g.op("Mul", y, g.op("Sigmoid", y)) if node.attr("activation", 0) else y
    return g.op("Transpose", y, perm=_TO_LAST) if last else y


def _shape(g: Graph, x: str, first: str, last: bool) -> str:
    """Of x with channels first; a constant where only the batch is free."""
    dims = g.types[x].dims if x in g.types else None
    if dims is None or any(isinstance(n, str) for n in dims[1:]):
        return g.op("Shape", first)
    sizes = [int(n) for n in dims[1:]]
    return g.ints([0, sizes[-1], *sizes[:-1]] if last else [0, *sizes])
