"""What the outputs of each ONNX operator read: positions along axes, all of an axis, or the same place."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from crosslens.receptive.dependence import Dependence, Indices, concatenated, product, united
from crosslens.receptive.indices import padded, resized, sliding, transposed_sliding

from ..autodiff.rules.conv_transpose import input_padding
from ..autodiff.rules.resize import resizing_matrix
from ..ir.graph import DynamicShapeError, Graph, Node
from ..ir.sliding_window import window_geometry

__all__ = ["RULES", "elementwise"]

Parts: TypeAlias = Sequence[Dependence | None]
"""What each input depends on; None for one that depends on no pixel."""
Shapes: TypeAlias = Sequence[tuple[int, ...]]
"""Of the outputs."""
Rule: TypeAlias = Callable[[Graph, Node, Parts, Shapes], Iterable[Dependence]]

_SMOOTH = (
    "Celu Elu Erf Exp Gelu HardSigmoid HardSwish Log Mish Pow Reciprocal Selu Sigmoid Softplus Softsign Sqrt Swish Tanh"
)
_STEPS = "Abs Ceil Clip Floor LeakyRelu Mod Neg PRelu Relu Round Shrink Sign ThresholdedRelu"
_MANY = "Add BatchNormalization Div Max Mean Min Mul Sub Sum Where"
_LOGIC = "And Equal Greater GreaterOrEqual Less LessOrEqual Not Or Xor"
_TYPES = "Cast CastLike DequantizeLinear Dropout Identity IsInf IsNaN QuantizeLinear"
_WAVES = "Acos Acosh Asin Asinh Atan Atanh Cos Cosh Sin Sinh Tan"
_ELEMENTWISE = frozenset(f"{_SMOOTH} {_STEPS} {_MANY} {_LOGIC} {_TYPES} {_WAVES}".split())


def elementwise(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    """Each output reads its own place of inputs that broadcast; nothing is known of other operators.

    Args:
        g: the graph.
        node: the operator.
        parts: what its inputs depend on.
        shapes: of its outputs.
    """
    if node.op in _ELEMENTWISE:
        yield united([part for part in parts if part is not None], shapes[0])


def _first(parts: Parts) -> Dependence:
    """The input that is followed; the rules for windows and shapes read no other one that depends on pixels.

    Raises:
        DynamicShapeError: another one does, such as a kernel that is computed.
    """
    if parts[0] is None or any(part is not None for part in parts[1:]):
        raise DynamicShapeError("the operator's own numbers depend on the image")
    return parts[0]


def _conv(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    kernel = g.sizes(node.inputs[1])
    x = _grouped(_first(parts), int(node.attr("group", 1)), shapes[0][1])
    windows = window_geometry(g, node, kernel)
    for axis, taps in enumerate(kernel):
        stride, dilation = windows.strides[axis], windows.dilations[axis]
        indices = sliding(shapes[0][axis + 2], taps, stride, windows.before[axis], dilation)
        x = x.taps(axis + 2, indices, stride)
    yield x


def _grouped(x: Dependence, groups: int, channels: int) -> Dependence:
    """Each of the output's channels reads the channels of its group."""
    size = x.shape[1] // groups
    group = np.arange(channels) // (channels // groups)
    return x.mixed(1, channels) if groups == 1 else x.taps(1, group[:, None] * size + np.arange(size)[None])


def _pool(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, kernel = _first(parts), node.attr("kernel_shape")
    windows = window_geometry(g, node, kernel)
    for axis, taps in enumerate(kernel):
        stride, dilation = windows.strides[axis], windows.dilations[axis]
        indices = sliding(shapes[0][axis + 2], taps, stride, windows.before[axis], dilation)
        x = x.taps(axis + 2, indices, stride)
    yield x


def _conv_transpose(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    kernel = g.sizes(node.inputs[1])
    x = _grouped(_first(parts), int(node.attr("group", 1)), shapes[0][1])
    strides, dilations = (node.attr(name, (1,) * len(kernel)) for name in ("strides", "dilations"))
    before = input_padding(g, node, kernel, strides, dilations)
    for axis, taps in enumerate(kernel):
        indices = transposed_sliding(shapes[0][axis + 2], taps, strides[axis], before[axis], dilations[axis])
        x = x.taps(axis + 2, indices, 1 / strides[axis])
    yield x


def _global_pool(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _first(parts).reduced(range(2, len(shapes[0])))


def _reduce(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x = _first(parts)
    given = g.value(node.inputs[1]) if node.has(1) else node.attr("axes")
    if node.has(1) and given is None:
        raise DynamicShapeError("its axes are computed")
    axes = [] if given is None else [int(axis) for axis in np.ravel(given)]
    if not axes and not node.attr("noop_with_empty_axes", 0):
        axes = list(range(len(x.shape)))
    yield x.reduced(axes).reshaped(shapes[0])


def _arg(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _first(parts).reduced([node.attr("axis", 0)]).reshaped(shapes[0])


def _over_axes(axes: Callable[[Node, int], Sequence[int]]) -> Rule:
    """Each output reads its own place and all of some axes: softmax and normalisations."""

    def rule(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
        x = _first(parts)
        yield united([x, x.reduced(axes(node, len(x.shape)))], shapes[0])

    return rule


def _softmax_axes(node: Node, rank: int) -> Sequence[int]:
    axis = node.attr("axis", -1 if node.version >= 13 else 1) % rank
    return [axis] if node.version >= 13 else range(axis, rank)


def _group_normalization(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, groups = _first(parts), int(node.attr("num_groups", 1))
    size, positions = x.shape[1] // groups, range(2, len(x.shape))
    channels = np.arange(x.shape[1]) // size * size
    statistics = x.reduced(positions).taps(1, channels[:, None] + np.arange(size)[None])
    yield united([x, statistics], shapes[0])


def _lrn(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    size = int(node.attr("size"))
    yield _first(parts).taps(1, sliding(shapes[0][1], size, before=(size - 1) // 2))


def _matmul(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    if len(shapes[0]) < 2 or any(len(part.shape) < 2 for part in parts if part is not None):
        raise DynamicShapeError("vectors")
    yield product(parts[0], parts[1], shapes[0])


def _gemm(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    turned = [
        part.transposed([1, 0]) if part is not None and node.attr(name, 0) else part
        for part, name in zip(parts[:2], ("transA", "transB"), strict=True)
    ]
    made = [product(turned[0], turned[1], shapes[0])] if any(part is not None for part in turned) else []
    yield united([*made, *(part for part in parts[2:] if part is not None)], shapes[0])


def _pad(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, pads = _first(parts), g.value(node.inputs[1]) if node.has(1) else np.array(node.attr("pads"))
    axes = g.value(node.inputs[3]) if node.has(3) else np.arange(len(x.shape))
    if pads is None or axes is None:
        raise DynamicShapeError("its padding is computed")
    for axis, before, after in zip(axes.tolist(), *pads.reshape(2, -1).tolist(), strict=True):
        if before or after:
            x = x.taps(axis, padded(x.shape[axis], before, after, node.attr("mode", "constant")))
    yield x


def _resize(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x = _first(parts)
    for axis, (before, after) in enumerate(zip(x.shape, shapes[0], strict=True)):
        matrix = resizing_matrix(g, node, axis)
        if matrix is not None:
            x = x.taps(axis, resized(matrix), before / after)
    yield x


def _upsample(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    if node.attr("mode", "nearest") != "nearest":
        return
    x = _first(parts)
    for axis, (before, after) in enumerate(zip(x.shape, shapes[0], strict=True)):
        if before != after:
            x = x.taps(axis, (np.arange(after) * before // after)[:, None], before / after)
    yield x


def _reshape(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _first(parts).reshaped(shapes[0])


def _transpose(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _first(parts).transposed(node.attr("perm") or range(len(shapes[0]))[::-1])


def _concat(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    axis = node.attr("axis")
    yield concatenated(parts, axis, [g.sizes(name, [axis])[0] for name in node.inputs])


def _slice(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x = _first(parts)
    if node.version < 10:
        starts, ends = np.array(node.attr("starts")), np.array(node.attr("ends"))
        given: list[Any] = [starts, ends, np.array(node.attr("axes", range(len(starts)))), np.ones(len(starts), int)]
    else:
        given = [g.value(name) if name else None for name in (*node.inputs[1:], "", "")[:4]]
    if given[0] is None or given[1] is None:
        raise DynamicShapeError("its limits are computed")
    count = given[0].size
    axes = range(count) if given[2] is None else given[2].ravel().tolist()
    steps = [1] * count if given[3] is None else given[3].ravel().tolist()
    for axis, start, end, step in zip(axes, given[0].ravel().tolist(), given[1].ravel().tolist(), steps, strict=True):
        places = np.arange(x.shape[axis])[slice(start, None if step < 0 and end < -x.shape[axis] else end, step)]
        x = x.taps(axis, places[:, None], abs(step))
    yield x


def _split(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, axis, start = _first(parts), node.attr("axis", 0), 0
    for shape in shapes:
        yield x.taps(axis, np.arange(start, start + shape[axis])[:, None])
        start += shape[axis]


def _gather(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, places, axis = _first(parts), g.value(node.inputs[1]), node.attr("axis", 0) % len(parts[0].shape)  # type: ignore[union-attr]
    if places is None:
        raise DynamicShapeError("its indices are computed")
    indices: Indices = np.where(places < 0, places + x.shape[axis], places).reshape(-1, 1).astype(np.int64)
    yield x.taps(axis, indices).reshaped(shapes[0])


def _expand(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _first(parts).broadcast(shapes[0])


def _tile(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x = _first(parts)
    for axis, (before, after) in enumerate(zip(x.shape, shapes[0], strict=True)):
        if before != after:
            x = x.taps(axis, (np.arange(after) % before)[:, None])
    yield x


def _depth_to_space(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, b = _first(parts), int(node.attr("blocksize"))
    n, c, h, w = x.shape
    if node.attr("mode", "DCR") == "DCR":
        x = x.reshaped((n, b, b, c // b**2, h, w)).transposed([0, 3, 4, 1, 5, 2])
    else:
        x = x.reshaped((n, c // b**2, b, b, h, w)).transposed([0, 1, 4, 2, 5, 3])
    yield x.reshaped(shapes[0])


def _space_to_depth(g: Graph, node: Node, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, b = _first(parts), int(node.attr("blocksize"))
    n, c, h, w = x.shape
    yield x.reshaped((n, c, h // b, b, w // b, b)).transposed([0, 3, 5, 1, 2, 4]).reshaped(shapes[0])


_KINDS = ("Mean", "Max", "Min", "Sum", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
_REDUCTIONS = tuple(f"Reduce{kind}" for kind in _KINDS)
RULES: Mapping[str, Rule] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool"), _pool),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), _global_pool),
    **dict.fromkeys(_REDUCTIONS, _reduce),
    **dict.fromkeys(("ArgMax", "ArgMin"), _arg),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _over_axes(_softmax_axes)),
    "LayerNormalization": _over_axes(lambda node, rank: range(node.attr("axis", -1) % rank, rank)),
    "RMSNormalization": _over_axes(lambda node, rank: range(node.attr("axis", -1) % rank, rank)),
    "LpNormalization": _over_axes(lambda node, rank: [node.attr("axis", -1)]),
    "InstanceNormalization": _over_axes(lambda node, rank: range(2, rank)),
    "CumSum": _over_axes(lambda node, rank: range(rank)),
    "GroupNormalization": _group_normalization,
    "LRN": _lrn,
    "MatMul": _matmul,
    "Gemm": _gemm,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _upsample,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), _reshape),
    "Transpose": _transpose,
    "Concat": _concat,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Expand": _expand,
    "Tile": _tile,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
"""Operators that do not read the same place alone."""
