"""What the outputs of each TensorFlow operator read: windows, all of an axis, the same place, or copies of values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from crosslens.receptive import operators as ops
from crosslens.receptive.dependence import Dependence, concatenated, product, united
from crosslens.receptive.indices import padded, resized

__all__ = ["RULES", "UnknownFormError", "elementwise"]

Parts: TypeAlias = Sequence[Dependence | None]
Shapes: TypeAlias = Sequence[tuple[int, ...]]
Rule: TypeAlias = Callable[[Any, Parts, Shapes], Iterable[Dependence | None]]
"""From the operator, what its inputs depend on (None: no pixel) and the shapes of its outputs."""


class UnknownFormError(Exception):
    """An operator in a form that no rule knows."""


_SMOOTH = (
    "Elu Erf Erfc Exp Expm1 Log Log1p Pow Reciprocal Rsqrt Selu Sigmoid Softplus Softsign Sqrt Square Tanh Cos Sin"
)
_STEPS = "SquaredDifference Xdivy Abs Ceil ClipByValue Floor FloorDiv FloorMod LeakyRelu Neg Relu Relu6 Rint Round Sign"
_MANY = "Add AddN AddV2 BiasAdd DivNoNan Div Maximum Minimum Mul MulNoNan RealDiv Select SelectV2 Sub"
_LOGIC = "Equal Greater GreaterEqual IsFinite IsInf IsNan Less LessEqual LogicalAnd LogicalNot LogicalOr NotEqual"
_SAME = "Cast CheckNumerics EnsureShape Identity PreventGradient Snapshot StopGradient"
_ELEMENTWISE = frozenset(f"{_SMOOTH} {_STEPS} {_MANY} {_LOGIC} {_SAME}".split())


def elementwise(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    """Each output reads its own place of inputs that broadcast; nothing is known of other operators."""
    if op.type in _ELEMENTWISE:
        yield united([part for part in parts if part is not None], shapes[0])


def _copies(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence | None]:
    """Each output is an input: what a function with a gradient of its own ends in."""
    return parts


def _x(parts: Parts, place: int = 0) -> Dependence:
    """The one input that is followed.

    Raises:
        UnknownFormError: another one depends on the image too, or this one does not.
    """
    x = parts[place]
    if x is None or any(part is not None for n, part in enumerate(parts) if n != place):
        raise UnknownFormError
    return x


def _constant(op: Any, place: int) -> Any:
    """The values of an input.

    Raises:
        UnknownFormError: they are computed.
    """
    value = tf.get_static_value(op.inputs[place])
    if value is None:
        raise UnknownFormError
    return value


def _axes(op: Any, rank: int) -> tuple[list[int], int]:
    """The axes of the positions, and that of the channels."""
    layout = op.get_attr("data_format").decode()
    first = layout.startswith("NC")
    return (list(range(2, rank)) if first else list(range(1, rank - 1))), (1 if first else rank - 1)


def _before(op: Any, n: int, axis: int, size: tuple[int, int], window: tuple[int, int]) -> int:
    """Padding before the first position, for sizes (inputs, outputs) and windows of (extent, stride)."""
    padding = op.get_attr("padding").decode()
    if padding == "EXPLICIT":
        return int(op.get_attr("explicit_paddings")[2 * axis])
    total = max((size[1] - 1) * window[1] + window[0] - size[0], 0)
    return total // 2 if padding == "SAME" else 0


def _windows(op: Any, x: Sequence[int], y: Sequence[int], kernel: Sequence[int]) -> list[ops.Window]:
    """Of an operator from maps of shape x to maps of shape y."""
    strides = op.get_attr("strides")
    dilations = op.get_attr("dilations") if _has(op, "dilations") else [1] * len(strides)
    windows = []
    for n, axis in enumerate(_axes(op, len(x))[0]):
        extent = (kernel[n] - 1) * dilations[axis] + 1
        before = _before(op, n, axis, (x[axis], y[axis]), (extent, strides[axis]))
        windows.append(ops.Window(axis, y[axis], kernel[n], strides[axis], before, dilations[axis]))
    return windows


def _has(op: Any, attribute: str) -> bool:
    return any(each.name == attribute for each in op.op_def.attr)


def _convolution(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, kernel = _x(parts), list(op.inputs[1].shape)
    channels = _axes(op, len(x.shape))[1]
    groups = x.shape[channels] if op.type.startswith("Depthwise") else x.shape[channels] // kernel[-2]
    windows = _windows(op, x.shape, shapes[0], kernel[:-2])
    yield ops.slide(ops.grouped(x, channels, groups, shapes[0][channels]), windows)


def _transposed(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    """Conv2DBackpropInput(sizes, kernel, x): the windows are those of the convolution from its output to x."""
    x, kernel = _x(parts, 2), list(op.inputs[1].shape)
    channels = _axes(op, len(x.shape))[1]
    windows = _windows(op, shapes[0], x.shape, kernel[:-2])
    wide = [ops.Window(w.axis, shapes[0][w.axis], w.kernel, w.stride, w.before, w.dilation) for w in windows]
    yield ops.slide_transposed(ops.grouped(x, channels, 1, shapes[0][channels]), wide)


def _pool(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, sizes = _x(parts), op.get_attr("ksize")
    if sizes[0] != 1 or sizes[_axes(op, len(x.shape))[1]] != 1:
        raise UnknownFormError
    yield ops.slide(x, _windows(op, x.shape, shapes[0], [sizes[axis] for axis in _axes(op, len(x.shape))[0]]))


def _reduction(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    axes = [int(axis) for axis in np.ravel(_constant(op, 1))]
    yield _x(parts).reduced(axes).reshaped(shapes[0])


def _softmax(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield ops.normalised(_x(parts), [-1])


def _batch_norm(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x = _x(parts)
    if op.get_attr("is_training"):
        x = ops.normalised(x, _axes(op, len(x.shape))[0])
    yield x


def _product(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    turned = []
    names = ("transpose_a", "transpose_b") if op.type == "MatMul" else ("adj_x", "adj_y")
    for part, name in zip(parts[:2], names, strict=True):
        order = [] if part is None else list(range(len(part.shape)))
        order[-2:] = order[-2:][::-1] if op.get_attr(name) else order[-2:]
        turned.append(None if part is None else part.transposed(order))
    yield product(turned[0], turned[1], shapes[0])


def _einsum(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    """Each output reads all positions along the letters that it lacks."""
    inputs, _, output = op.get_attr("equation").decode().partition("->")
    if "." in inputs or any(len(set(each)) != len(each) for each in inputs.split(",")):
        raise UnknownFormError
    made = []
    for part, letters in zip(parts, inputs.split(","), strict=True):
        if part is not None:
            summed = part.reduced([n for n, letter in enumerate(letters) if letter not in output])
            kept = [n for n, letter in enumerate(letters) if letter in output]
            order = sorted(kept, key=lambda n: output.index(letters[n]))
            turned = summed.transposed([n for n in range(len(letters)) if n not in kept] + order)
            sizes = [part.shape[letters.index(letter)] if letter in letters else 1 for letter in output]
            made.append(turned.reshaped(sizes))
    yield united(made, shapes[0])


def _reshape(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _x(parts).reshaped(shapes[0])


def _transpose(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _x(parts).transposed(_constant(op, 1).tolist())


def _concat(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    axis = int(_constant(op, len(op.inputs) - 1))
    yield concatenated(parts[:-1], axis, [int(each.shape[axis]) for each in op.inputs[:-1]])


def _pack(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    axis = op.get_attr("axis") % len(shapes[0])
    shape = [*shapes[0][:axis], 1, *shapes[0][axis + 1 :]]
    yield concatenated([None if part is None else part.reshaped(shape) for part in parts], axis, [1] * len(parts))


def _unpack(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, axis = _x(parts), op.get_attr("axis")
    return [x.taps(axis, np.array([[n]])).reshaped(shape) for n, shape in enumerate(shapes)]


def _pad(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x = _x(parts)
    mode = op.get_attr("mode").decode().lower() if op.type == "MirrorPad" else "constant"
    for axis, (before, after) in enumerate(_constant(op, 1).tolist()):
        if before or after:
            x = x.taps(axis, padded(x.shape[axis], before, after, mode))
    yield x


def _split(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    place, axis_at = (1, 0) if op.type == "Split" else (0, 2)
    x, axis, start = _x(parts, place), int(_constant(op, axis_at)), 0
    for shape in shapes:
        yield x.taps(axis, np.arange(start, start + shape[axis])[:, None])
        start += shape[axis]


def _gather(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    x, places, axis = _x(parts), np.asarray(_constant(op, 1)), int(_constant(op, 2))
    if op.get_attr("batch_dims"):
        raise UnknownFormError
    yield x.taps(axis, np.ravel(places % x.shape[axis])[:, None]).reshaped(shapes[0])


def _broadcast(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    yield _x(parts).broadcast(shapes[0])


def _moved(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    """By running it on the numbers of the input's positions: slices, flips, tiles, rolls, blocks of space."""
    x = _x(parts)
    numbers = np.arange(1, np.prod(x.shape) + 1, dtype=np.float64).reshape(x.shape)
    made = _run(op, numbers)
    yield x.moved(np.rint(made).astype(np.int64) - 1)


def _resize(op: Any, parts: Parts, shapes: Shapes) -> Iterable[Dependence]:
    """By running it on the unit matrix along each axis: (1, H, W, C)."""
    x = _x(parts)
    for axis in (1, 2):
        before, after = x.shape[axis], shapes[0][axis]
        wide = [1, x.shape[1], x.shape[2], before]
        unit = np.eye(before, dtype=np.float32).reshape(1, *((before, 1) if axis == 1 else (1, before)), before)
        made = np.abs(_run(op, np.broadcast_to(unit, wide))).max(axis=3 - axis)[0]
        x = x.taps(axis, resized(made), before / after)
        parts = [x, *parts[1:]]
        if axis == 1 and x.shape[2] != shapes[0][2]:
            continue
    yield x


def _run(op: Any, x: Any) -> Any:
    """The operator's first output for another first input, its other inputs as they are.

    Raises:
        UnknownFormError: they are computed, or it refuses.
    """
    function = getattr(tf.raw_ops, op.type)
    names = [each.name for each in op.op_def.input_arg]
    own = {name: _constant(op, n) for n, name in enumerate(names) if n}
    types = {each.type_attr for each in op.op_def.input_arg}
    skipped = {*types, "T", "Tidx", "Tperm", "Index", "Tshift", "Taxis", "Tmultiples"}
    attributes = {each.name: op.get_attr(each.name) for each in op.op_def.attr if each.name not in skipped}
    with tf.init_scope():
        try:
            return function(**{names[0]: tf.constant(x)}, **own, **attributes).numpy()
        except (tf.errors.OpError, TypeError, ValueError) as error:
            raise UnknownFormError from error


_REDUCTIONS = ("Mean", "Max", "Min", "Sum", "Prod", "All", "Any", "ArgMax", "ArgMin", "EuclideanNorm")
_MOVES = (
    "StridedSlice",
    "Slice",
    "ReverseV2",
    "Tile",
    "Roll",
    "SpaceToDepth",
    "DepthToSpace",
    "SpaceToBatchND",
    "BatchToSpaceND",
)
_RESIZES = ("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "ScaleAndTranslate")
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(("Conv2D", "Conv3D", "DepthwiseConv2dNative"), _convolution),
    **dict.fromkeys(("Conv2DBackpropInput", "Conv3DBackpropInputV2"), _transposed),
    **dict.fromkeys(("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D"), _pool),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(("Softmax", "LogSoftmax"), _softmax),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _batch_norm),
    **dict.fromkeys(("MatMul", "BatchMatMul", "BatchMatMulV2"), _product),
    "Einsum": _einsum,
    "IdentityN": _copies,
    **dict.fromkeys(("Reshape", "Squeeze", "ExpandDims"), _reshape),
    "Transpose": _transpose,
    "ConcatV2": _concat,
    "Pack": _pack,
    "Unpack": _unpack,
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("Split", "SplitV"), _split),
    "GatherV2": _gather,
    "BroadcastTo": _broadcast,
    **dict.fromkeys(_MOVES, _moved),
    **dict.fromkeys(_RESIZES, _resize),
}
"""Operators that do not read the same place alone."""
