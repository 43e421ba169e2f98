"""SimplifiedLayerNormalization: y = s x / sqrt(mean(x^2) + eps), the mean over the axes from `axis` on.

Zhang and Sennrich 2019, https://arxiv.org/abs/1910.07467. Half precision is computed in float32, as onnxruntime does.
"""

from ...ir.graph import FLOAT, Graph, Node
from ..fused_operators import UnknownTypeError, expands, first_typed


@expands("SimplifiedLayerNormalization")
def simplified_layer_normalization(g: Graph, node: Node) -> list[str]:
    """The inverse of the root is its second output."""
    x, scale = node.inputs[:2]
    axis = node.attr("axis", -1)
    if axis >= 0 and (x not in g.types or g.types[x].dims is None):
        raise UnknownTypeError(f"the rank of {x!r} is not known")
    axes = range(axis, 0) if axis < 0 else range(axis, g.rank(x))
    return list(root_mean_square(g, x, scale, list(axes), node.attr("epsilon", 1e-5)))


def root_mean_square(g: Graph, x: str, scale: str, axes: list[int], epsilon: float) -> tuple[str, str]:
    """(y, 1 / sqrt(mean(x^2) + eps)) of a tensor that has the element type of its scale."""
    elem = g.elem(first_typed(g, x, scale))
    wide = x if elem == FLOAT else g.op("Cast", x, to=FLOAT)
    mean = g.op("ReduceMean", g.op("Mul", wide, wide), g.ints(axes), keepdims=1)
    inverse = g.op("Reciprocal", g.op("Sqrt", g.op("Add", mean, g.const(epsilon, "float32"))))
    y = g.op("Mul", wide, inverse)
    return g.op("Mul", y if elem == FLOAT else g.op("Cast", y, to=elem), scale), inverse
