"""Partitioning a recorded torch network into stages: which operators slide a window, which are pointwise."""

from collections.abc import Sequence
from math import prod
from typing import Any

from crosslens.model import INPUT
from crosslens.occlusion.partition import Partition, Partitioner
from crosslens.occlusion.receptive_field import SlidingWindow
from crosslens.occlusion.stages import StageInput
from torch import fx

from .recorded_graph import RecordedGraph, copy_source, first_output, required_nodes

__all__ = ["partition", "remove_padding"]

_SMOOTH = "celu elu exp gelu hardsigmoid hardswish log mish rsqrt sigmoid silu softplus sqrt tanh"
_PLAIN = "abs add addcmul clone clamp clamp_max clamp_min div hardtanh leaky_relu maximum minimum mul neg relu sub"
_POINTWISE = frozenset(f"{_SMOOTH} {_PLAIN} _prelu_kernel".split())
_NORMS = frozenset({"native_batch_norm", "_native_batch_norm_legit_no_training"})
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_WRITE_COST = 60.0
"""What writing one output costs, in multiplications; each of torch's operators writes its output to memory."""


def partition(recorded: RecordedGraph, requested: Sequence[fx.Node]) -> Partition[fx.Node]:
    """The stages of a graph; `requested` are nodes that are asked for. A tensor has its node's name, or is `INPUT`."""
    return _TorchPartitioner(recorded, requested).partition()


class _TorchPartitioner(Partitioner[fx.Node]):
    def __init__(self, recorded: RecordedGraph, requested: Sequence[fx.Node]) -> None:
        self.recorded = recorded
        nodes = [node for node in required_nodes(requested, {recorded.image: None}) if node.op == "call_function"]
        self.by_name = {node.name: node for node in nodes} | {INPUT: recorded.image}
        super().__init__(
            [node for node in nodes if copy_source(node) is node], [self._name(node) for node in requested]
        )

    def _name(self, node: fx.Node) -> str:
        node = copy_source(node)
        return INPUT if node is self.recorded.image else node.name

    def inputs(self, node: fx.Node) -> Sequence[str]:
        return [self._name(each) for each in node.all_input_nodes]

    def outputs(self, node: fx.Node) -> Sequence[str]:
        return (node.name,)

    def kind(self, node: fx.Node) -> str:
        return kind(node)

    def _shape(self, tensor: str) -> tuple[Any, ...]:
        maps = first_output(self.by_name[tensor])
        return () if maps is None else tuple(maps.shape)

    def size(self, tensor: str) -> tuple[int, int]:
        axis = self.row_axes[tensor]
        height, width = self._shape(tensor)[axis : axis + 2]
        return height, width

    def channels(self, tensor: str) -> int:
        count: int = self._shape(tensor)[1 if self.row_axes[tensor] == 2 else 3]
        return count

    def cost(self, node: fx.Node) -> float:
        elements = prod(n for n in self._shape(node.name)[1:] if isinstance(n, int))
        return 0.0 if kind(node) in {"getitem", "view", "t"} else elements * (_WRITE_COST + _multiplications(node))

    def assign(self, node: fx.Node, dependent: list[str]) -> bool:
        shape, axes = self._shape(node.name), {self.row_axes.get(i, 0) for i in dependent}
        if 0 in axes or len(axes) != 1 or len(shape) != 4 or isinstance(shape[0], int) or not _is_single(node):
            return False
        (axis,) = axes
        if kind(node) == "permute":
            if list(node.args[1]) != {1: _TO_FIRST, 2: _TO_LAST}[axis]:
                return False
            axis = 3 - axis
        read = _window(node) if axis == 2 and self._only_first_depends(node, dependent) else None
        if read is not None:
            self.begin_stage(node, shape[2:], StageInput(dependent[0], *read))
        elif kind(node) == "permute" or self._is_pointwise(node, dependent, shape, axis):
            self.join_stage(node, dependent, self.size(dependent[0]))
        else:
            return False
        self.row_axes[node.name] = axis
        return True

    def _only_first_depends(self, node: fx.Node, dependent: list[str]) -> bool:
        """Whether the first argument is all that depends on the image."""
        first = node.args[0]
        return isinstance(first, fx.Node) and dependent == [self._name(first)]

    def _is_pointwise(self, node: fx.Node, dependent: list[str], shape: tuple[Any, ...], axis: int) -> bool:
        if {self.size(i) for i in dependent} != {shape[axis : axis + 2]}:
            return False
        channel, name, args = (1 if axis == 2 else 3), kind(node), node.args
        if name in {"convolution", *_NORMS}:
            return (
                axis == 2
                and self._only_first_depends(node, dependent)
                and (_is_pointwise_convolution if name == "convolution" else _is_fixed)(node)
            )
        if name in {"cat", "slice"}:
            along = len(args) > 1 and args[1] % 4 == channel
            return along and (name == "slice" or len(self.inputs(node)) == len(dependent))
        if name == "getitem":
            return bool(args[1] == 0)
        return name in _POINTWISE and self._constants_fit(node, axis)

    def _constants_fit(self, node: fx.Node, axis: int) -> bool:
        """Whether the inputs that do not depend on the image are the same at all positions and for all images."""
        constants = [first_output(i) for i in node.all_input_nodes if self._name(i) not in self.image_dependent]
        return all(
            value is not None
            and all(n == 1 for p, n in enumerate(value.shape, 4 - value.ndim) if p in {0, axis, axis + 1})
            for value in constants
        )


def kind(node: fx.Node) -> str:
    """The operator's name without its overload: "relu"."""
    schema = getattr(node.target, "_schema", None)
    return schema.name.removeprefix("aten::") if schema else getattr(node.target, "__name__", str(node.target))


def _is_single(node: fx.Node) -> bool:
    """Whether nothing reads another output than the first."""
    several = isinstance(node.meta.get("val"), tuple | list)
    return not several or all(user.args[1] == 0 or not user.users for user in node.users)


def _window(node: fx.Node) -> tuple[tuple[SlidingWindow, SlidingWindow], float] | None:
    """An operator's windows over rows and columns, and the padding's value; None if no stage can run it."""
    if kind(node) == "constant_pad_nd":
        pads: list[int] = list(node.args[1])
        left, right, top, bottom, *others = [*pads, 0, 0, 0, 0]
        value = float(node.args[2]) if len(node.args) > 2 else 0.0
        fits = min(left, right, top, bottom) >= 0 and not any(others)
        return ((SlidingWindow(padding=top), SlidingWindow(padding=left)), value) if fits else None
    if kind(node) == "convolution":
        _, weight, _, stride, padding, dilation, transposed, _, _ = node.args
        size = _kernel(weight)
        if transposed or len(size) != 2 or _is_pointwise_convolution(node) or not _is_constant(weight):
            return None
        return _sliding_windows(size, stride, padding, dilation), 0.0
    if kind(node) == "max_pool2d_with_indices":
        _, size, stride, padding, dilation, _ = _with_defaults(node, [None, None, [], [0, 0], [1, 1], False])
        return _sliding_windows(size, stride or size, padding, dilation), float("-inf")
    if kind(node) == "avg_pool2d":
        _, size, stride, padding, ceil, padded, _ = _with_defaults(node, [None, None, [], [0, 0], False, True, None])
        uneven = ceil or (any(padding) and not padded)
        return None if uneven else (_sliding_windows(size, stride or size, padding, [1, 1]), 0.0)
    return None


def _with_defaults(node: fx.Node, defaults: list[Any]) -> list[Any]:
    return [*node.args, *defaults[len(node.args) :]]


def _sliding_windows(size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[SlidingWindow, SlidingWindow]:
    both = [list(each) * (2 // len(each)) for each in (size, stride, padding, dilation)]
    rows, columns = (SlidingWindow((k - 1) * d + 1, s, p) for k, s, p, d in zip(*both, strict=True))
    return rows, columns


def _kernel(weight: Any) -> tuple[int, ...]:
    value = first_output(weight)
    return () if value is None else tuple(value.shape[2:])


def _is_constant(node: fx.Node) -> bool:
    """Whether a node is computed from parameters alone."""
    return node.op == "get_attr" or (node.op == "call_function" and all(map(_is_constant, node.all_input_nodes)))


def _is_pointwise_convolution(node: fx.Node) -> bool:
    """Whether each output of a convolution reads one position: a 1x1 kernel, stride 1, no padding."""
    _, weight, _, stride, padding, _, transposed, _, _ = node.args
    plain = {*stride} == {1} and not any(padding) and not transposed
    return plain and _kernel(weight) == (1, 1) and _is_constant(weight)


def _is_fixed(node: fx.Node) -> bool:
    """Whether a normalisation takes its mean and variance from parameters."""
    return kind(node) != "native_batch_norm" or node.args[5] is False


def _multiplications(node: fx.Node) -> float:
    """Of one output."""
    if kind(node) == "convolution":
        weight = first_output(node.args[1])
        return float(prod(weight.shape[1:])) if weight is not None else 0.0
    if kind(node) in {"addmm", "mm", "bmm"}:
        left = first_output(node.args[1 if kind(node) == "addmm" else 0])
        return float(left.shape[-1]) if left is not None else 0.0
    return 0.0


def remove_padding(node: fx.Node) -> None:
    """Take the padding out of an operator of a stage: its crops hold all that its windows read, padding included."""
    if kind(node) == "convolution":
        node.args = (*node.args[:4], [0, 0], *node.args[5:])
    elif kind(node) == "max_pool2d_with_indices":
        x, size, stride, _, dilation, _ = _with_defaults(node, [None, None, [], [0, 0], [1, 1], False])
        node.args = (x, size, stride, [0, 0], dilation, False)
    elif kind(node) == "avg_pool2d":
        x, size, stride, _, _, _, divisor = _with_defaults(node, [None, None, [], [0, 0], False, True, None])
        node.args = (x, size, stride, [0, 0], False, True, divisor)
    elif kind(node) == "constant_pad_nd":
        node.args = (node.args[0], [0] * len(node.args[1]), *node.args[2:])
