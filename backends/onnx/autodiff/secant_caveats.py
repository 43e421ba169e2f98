"""Which operators of a network have no secant and are not linear: there slope="secant" keeps the derivative."""

from crosslens.model import INPUT, OUTPUT

from ..ir.graph import Graph, Node
from .registry import rule_for
from .relevance.secant import has_secant
from .relevance.varying import Varying
from .reverse import path_of

__all__ = ["secant_caveats"]

_LINEAR = frozenset(["Add", "Sub", "Sum", "Mean", "Neg", "Concat", "Identity", "Cast", "CastLike", "Dropout", "Expand"])
"""In all inputs at once."""
_LINEAR_IN_FIRST = frozenset(
    ["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Slice", "Split", "Gather", "GatherElements",
     "GatherND", "Pad", "Tile", "Trilu", "ReduceSum", "ReduceMean", "CumSum", "ReverseSequence", "AveragePool",
     "GlobalAveragePool", "Resize", "DepthToSpace", "SpaceToDepth", "Col2Im", "Compress", "DFT", "BatchNormalization",
     "GridSample", "Div", "DequantizeLinear", "DeformConv", "RoiAlign", "AffineGrid"]
)  # fmt: skip
"""In the first input, where no other varies."""
_LINEAR_IN_ONE = frozenset(["Mul", "MatMul", "Einsum", "Conv", "ConvTranspose"])
"""In any one input, where no other varies."""
_LINEAR_IN_SOME = {"Where": {1, 2}, "ScatterElements": {0, 2}, "ScatterND": {0, 2}}
"""In these inputs at once, where no other varies."""


def secant_caveats(graph: Graph) -> tuple[str, ...]:
    """A sentence that names the operators between image and output that keep their derivative, if there are any."""
    varying, depends = Varying.of(graph), _depending(graph)
    kept = {
        node.op
        for node in path_of(graph, [OUTPUT], [INPUT])
        if rule_for(node) is not None and not (_is_linear(depends, node) or has_secant(varying, node))
    }
    if not kept:
        return ()
    return (
        f"operators {', '.join(sorted(kept))} have no secant: they keep their derivative, and gradients times "
        "differences need not add up to the difference of the outputs",
    )


def _depending(graph: Graph) -> set[str]:
    """All tensors that depend on the image's values, conditions and indices too."""
    tensors = set(graph.inputs)
    for node in graph.nodes:
        if node.op not in {"Shape", "Size"} and not tensors.isdisjoint(node.reads):
            tensors.update(node.outputs)
    return tensors


def _is_linear(depends: set[str], node: Node) -> bool:
    if node.domain:
        return False
    positions = tuple(position for position, name in enumerate(node.inputs) if name in depends)
    if node.op in _LINEAR:
        return True
    if node.op in _LINEAR_IN_SOME:
        return set(positions) <= _LINEAR_IN_SOME[node.op]
    if node.op == "Gemm":
        return not {0, 1} <= set(positions)
    return (
        node.op in (_LINEAR_IN_FIRST | _LINEAR_IN_ONE if positions == (0,) else _LINEAR_IN_ONE) and len(positions) == 1
    )
