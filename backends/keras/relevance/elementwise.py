"""Elementwise operations by name, and functions of one tensor that a network writes out in several of them."""

from typing import Any

from ..layers.operations import ends_custom_gradient
from ..rectifiers import SCOPE
from .graph_facts import GraphFacts

__all__ = [
    "ACTIVATIONS",
    "LINEAR",
    "NONLINEAR",
    "PIECES",
    "PRODUCTS",
    "SIDES",
    "SMOOTH",
    "gives_out",
    "has_own_rule",
    "is_shifted_clip",
    "operations_between",
    "same_shape",
    "single_source",
]

_RECTIFIERS = frozenset({"Relu", "Relu6", "LeakyRelu"})
ACTIVATIONS = _RECTIFIERS | frozenset(
    {"Elu", "Selu", "Sigmoid", "Tanh", "Softplus", "Softsign", "Erf", "Expm1", "Maximum", "Minimum"}
)
"""Activation functions and what they are built of; of Maximum and Minimum those with a constant, which are clips."""
NONLINEAR = ACTIVATIONS | frozenset(
    {
        "Exp", "Log", "Log1p", "Sqrt", "Rsqrt", "Reciprocal", "Inv", "Square", "Pow", "Abs", "Sign", "Sin", "Cos",
        "Tan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "Asin", "Acos", "Atan", "Erfc", "Lgamma", "Digamma", "Floor",
        "Ceil", "Round", "Rint",
    }
)  # fmt: skip
"""Functions of each element that are not linear."""
SMOOTH = frozenset({"Sigmoid", "Tanh", "Softplus", "Erf", "Erfc", "Exp", "Expm1"})
"""Functions whose secant between close values is the mean of the derivatives there; so it is of their products."""
SIDES = frozenset({"Elu", "Selu", "Softsign"})
"""Functions of which that holds on either side of 0."""
PIECES = frozenset({"LeakyRelu"})
"""Functions of linear pieces with rounded values: the secant within a piece is the derivative."""
PRODUCTS = frozenset({"Mul", "MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3", "Einsum"})
"""Linear in each of two inputs."""
_LINEAR = frozenset(
    {"Add", "AddV2", "AddN", "Sub", "Neg", "BiasAdd", "Mul", "RealDiv", "DivNoNan", "Identity", "Cast", "IdentityN"}
)
_CHOICES = frozenset(
    {
        "Select", "SelectV2", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd",
        "LogicalOr", "LogicalNot", "ZerosLike", "OnesLike", "IsFinite",
    }
)  # fmt: skip
_ELEMENTWISE = NONLINEAR | _LINEAR | _CHOICES | {"SquaredDifference"}
_AFFINE = frozenset({"Add", "AddV2", "Sub", "Mul", "RealDiv"})
_MOST_OPERATIONS = 64
"""An activation function is written out in fewer operations."""
LINEAR = _LINEAR | frozenset(
    {
        "Reshape", "Squeeze", "ExpandDims", "Transpose", "Pad", "PadV2", "MirrorPad", "ConcatV2", "Pack", "Unpack",
        "Split", "SplitV", "Slice", "StridedSlice", "GatherV2", "Gather", "GatherNd", "Tile", "BroadcastTo", "Mean",
        "Sum", "AvgPool", "AvgPool3D", "Conv2D", "Conv3D", "DepthwiseConv2dNative", "Conv2DBackpropInput",
        "Conv3DBackpropInputV2", "FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "ResizeBilinear",
        "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "ScaleAndTranslate", "SpaceToBatchND",
        "BatchToSpaceND", "SpaceToDepth", "DepthToSpace", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape",
        "CheckNumerics", "ReverseV2", "Roll", "Cumsum", "MatrixBandPart", "MatrixDiagV3", "ExtractImagePatches",
        "ScatterNd", "TensorScatterUpdate", "TensorScatterAdd", "ImageProjectiveTransformV3", "Select", "SelectV2",
        "ZerosLike", "OnesLike",
    }
)  # fmt: skip
"""Linear in their one input that depends on the image; products and choices where only one does."""


def has_own_rule(operation: Any) -> bool:
    """Whether another rule is at an operation already: one for rectifiers."""
    return SCOPE in operation.name or operation.node_def.attr["_gradient_op_type"].s.startswith(b"Crosslens")


def single_source(operation: Any, facts: GraphFacts, slot: int | None = None) -> Any:
    """The nearest tensor that an operation's result is an elementwise function of, and nothing else that varies.

    Args:
        operation: elementwise.
        facts: of its graph.
        slot: the number of the result; None where there is but one.

    Returns:
        The tensor; None where there is none, or no elementwise operation before it. A tensor that only this operation
        reads counts: then the function is the operation.
    """
    waiting = {tensor.name: tensor for tensor in _read(operation, slot) if tensor.name in facts.varying}
    for _ in range(_MOST_OPERATIONS):
        if len(waiting) == 1:
            return next(iter(waiting.values()))
        latest = max(waiting.values(), key=lambda tensor: tensor.op._id)
        if latest.op.type not in _ELEMENTWISE:
            return None
        del waiting[latest.name]
        found = _read(latest.op, latest.value_index)
        waiting.update({tensor.name: tensor for tensor in found if tensor.name in facts.varying})
    return None


def operations_between(start: Any, end: Any) -> dict[str, Any]:
    """By name what computes `end` from `start`, where nothing else that varies has a part."""
    between: dict[str, Any] = {}
    waiting = [end]
    while waiting:
        tensor = waiting.pop()
        if tensor.name == start.name or tensor.op.name in between or tensor.op.type not in _ELEMENTWISE:
            continue
        between[tensor.op.name] = tensor.op
        waiting.extend(_read(tensor.op, tensor.value_index))
    return between


def is_shifted_clip(operation: Any, facts: GraphFacts) -> Any:
    """The tensor before a number is added that a clip then follows, as in relu6(x + 3); None for any other operation.

    Such a function is one with the clip (hard sigmoid), while a bias of each channel is not.
    """
    if operation.type not in {"Relu6", "Maximum", "Minimum"} or len(facts.varying_inputs(operation)) != 1:
        return None
    added, current = False, operation
    while True:
        (place,) = facts.varying_inputs(current)
        x = current.inputs[place]
        current = x.op
        clips, affine = current.type in {"Maximum", "Minimum"}, current.type in _AFFINE
        if not (clips or affine) or len(facts.varying_inputs(current)) != 1 or not _with_number(current, facts):
            return x if added else None
        added |= current.type in {"Add", "AddV2", "Sub"}


def same_shape(a: Any, b: Any) -> bool:
    """Whether no axis is known to differ."""
    return a.shape.rank is not None and a.shape.rank == b.shape.rank and bool(a.shape.is_compatible_with(b.shape))


def _read(operation: Any, slot: int | None) -> list[Any]:
    """What a result is computed from; of the end of a `tf.custom_gradient` the tensor inside that it gives out."""
    if operation.type == "IdentityN":
        return [operation.inputs[slot or 0]]
    return list(operation.inputs)


def _with_number(operation: Any, facts: GraphFacts) -> bool:
    """Whether the other input is a single number."""
    return (
        all(tensor.shape.num_elements() == 1 for tensor in operation.inputs if not facts.varies(tensor))
        and operation.type != "IdentityN"
    )


def gives_out(operation: Any) -> bool:
    """Whether this is the end of a `tf.custom_gradient`."""
    return bool(ends_custom_gradient(operation))
