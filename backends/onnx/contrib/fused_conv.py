"""FusedConv: f(Conv(x, w, b) + z), f one of Relu, LeakyRelu, Clip, Sigmoid, Tanh, HardSigmoid; z may be missing."""

from ..activations import activated
from ..graph import Graph, Node
from ..rewrite import writes

PARAMETERS = {"LeakyRelu": ("alpha",), "Clip": ("min", "max"), "HardSigmoid": ("alpha", "beta")}
"""What the numbers of `activation_params` are, in order."""
OURS = frozenset({"activation", "activation_params"})


@writes("FusedConv")
def fused_conv(g: Graph, node: Node) -> list[str]:
    """Conv, Add, and the activation."""
    names = PARAMETERS.get(node.attr("activation", ""), ())
    given = dict(zip(names, node.attr("activation_params", ()), strict=True))
    y = g.op("Conv", *node.inputs[:3], **{k: node.attr(k) for k in node.attributes if k not in OURS})
    if node.has(3):
        y = g.op("Add", y, node.inputs[3])
    return [activated(g, y, node.attr("activation"), given, (node.inputs[1], node.inputs[0]))]
