"""NhwcConv and NhwcFusedConv: Conv and FusedConv of channels last; NhwcMaxPool: MaxPool of bytes, channels last.

Kernels lie as in the standard.
"""

from ...ir.graph import Graph, Node
from ..fused_operators import UnknownTypeError, expands
from .fused_conv import append_sum_and_activation, plain


@expands("NhwcConv", "NhwcFusedConv")
def convolution(g: Graph, node: Node) -> list[str]:
    """The sum with Z, channels last too, comes before the activation."""
    x, w = node.inputs[:2]
    y = g.op("Conv", channels_first(g, x, rank := rank_of(g, w)), *node.inputs[1:3], **plain(node))
    return [append_sum_and_activation(g, node, channels_last(g, y, rank))]


@expands("NhwcMaxPool")
def max_pool(g: Graph, node: Node) -> list[str]:
    """The standard's takes bytes too; padding is never the largest."""
    rank = len(node.attr("kernel_shape")) + 2
    kept = {key: node.attr(key) for key in node.attributes}
    return [channels_last(g, g.op("MaxPool", channels_first(g, node.inputs[0], rank), **kept), rank)]


def rank_of(g: Graph, name: str) -> int:
    """A tensor's number of axes.

    Raises:
        UnknownTypeError: it is not known yet.
    """
    if name not in g.constants and (name not in g.types or g.types[name].dims is None):
        raise UnknownTypeError(f"the rank of {name!r} is not known")
    return g.rank(name)


def channels_first(g: Graph, x: str, rank: int) -> str:
    """(N, ..., C) to (N, C, ...)."""
    return g.op("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])


def channels_last(g: Graph, x: str, rank: int) -> str:
    """(N, C, ...) to (N, ..., C)."""
    return g.op("Transpose", x, perm=[0, *range(2, rank), 1])
