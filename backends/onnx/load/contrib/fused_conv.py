"""FusedConv: f(Conv(x, w, b) + z), f one of Relu, LeakyRelu, Clip, Sigmoid, Tanh, HardSigmoid; z may be missing."""

from typing import Any

from ...ir.graph import Graph, Node
from ..fused_operators import expands
from ._activation import append_activation

_PARAMETERS = {"LeakyRelu": ("alpha",), "Clip": ("min", "max"), "HardSigmoid": ("alpha", "beta")}
"""What the numbers of `activation_params` are, in order."""
_OURS = frozenset({"activation", "activation_params"})


@expands("FusedConv")
def fused_conv(g: Graph, node: Node) -> list[str]:
    """Conv, Add, and the activation."""
    return [append_sum_and_activation(g, node, g.op("Conv", *node.inputs[:3], **plain(node)))]


def plain(node: Node) -> dict[str, Any]:
    """The attributes of the Conv within."""
    return {name: node.attr(name) for name in node.attributes if name not in _OURS}


def append_sum_and_activation(g: Graph, node: Node, y: str) -> str:
    """f(y + z) of a Conv's y."""
    names = _PARAMETERS.get(node.attr("activation", ""), ())
    given = dict(zip(names, node.attr("activation_params", ()), strict=True))
    if node.has(3):
        y = g.op("Add", y, node.inputs[3])
    return append_activation(g, y, node.attr("activation"), given, (node.inputs[1], node.inputs[0]))
