"""A recorded torch network as stages: which operators slide, which read each place where it stands."""

from collections.abc import Sequence
from math import prod
from typing import Any

from crosslens.model import INPUT
from crosslens.occlusion.partition import Cut, Stager
from crosslens.occlusion.receptive_field import Sliding
from crosslens.occlusion.stages import Read
from torch import fx

from .graph import Traced, maps_of, needed, source

__all__ = ["cut", "unpadded"]

_SMOOTH = "celu elu exp gelu hardsigmoid hardswish log mish rsqrt sigmoid silu softplus sqrt tanh"
_PLAIN = "abs add addcmul clone clamp clamp_max clamp_min div hardtanh leaky_relu maximum minimum mul neg relu sub"
_POINTWISE = frozenset(f"{_SMOOTH} {_PLAIN} _prelu_kernel".split())
_NORMS = frozenset({"native_batch_norm", "_native_batch_norm_legit_no_training"})
_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_TOUCH = 60.0
"""What making one number costs beside its multiplications; each of torch's operators writes its output to memory."""


def cut(traced: Traced, wanted: Sequence[fx.Node]) -> Cut[fx.Node]:
    """The stages of a graph; `wanted` are nodes that are asked for. Tensors are named as their nodes, or `INPUT`."""
    return _Builder(traced, wanted).cut()


class _Builder(Stager[fx.Node]):
    def __init__(self, traced: Traced, wanted: Sequence[fx.Node]) -> None:
        self.traced = traced
        nodes = [node for node in needed(wanted, {traced.image: None}) if node.op == "call_function"]
        self.by_name = {node.name: node for node in nodes} | {INPUT: traced.image}
        super().__init__([node for node in nodes if source(node) is node], [self._name(node) for node in wanted])

    def _name(self, node: fx.Node) -> str:
        found = source(node)
        return INPUT if found is self.traced.image else found.name

    def inputs(self, node: fx.Node) -> Sequence[str]:
        return [self._name(each) for each in node.all_input_nodes]

    def outputs(self, node: fx.Node) -> Sequence[str]:
        return (node.name,)

    def kind(self, node: fx.Node) -> str:
        return kind(node)

    def _shape(self, tensor: str) -> tuple[Any, ...]:
        maps = maps_of(self.by_name[tensor])
        return () if maps is None else tuple(maps.shape)

    def size(self, tensor: str) -> tuple[int, int]:
        axis = self.axes[tensor]
        height, width = self._shape(tensor)[axis : axis + 2]
        return height, width

    def channels(self, tensor: str) -> int:
        count: int = self._shape(tensor)[1 if self.axes[tensor] == 2 else 3]
        return count

    def cost(self, node: fx.Node) -> float:
        made = prod(n for n in self._shape(node.name)[1:] if isinstance(n, int))
        return 0.0 if kind(node) in {"getitem", "view", "t"} else made * (_TOUCH + _multiplications(node))

    def put(self, node: fx.Node, moving: list[str]) -> bool:
        shape, axes = self._shape(node.name), {self.axes.get(i, 0) for i in moving}
        if 0 in axes or len(axes) != 1 or len(shape) != 4 or isinstance(shape[0], int) or not _is_single(node):
            return False
        (axis,) = axes
        if kind(node) == "permute":
            if list(node.args[1]) != {1: _TO_FIRST, 2: _TO_LAST}[axis]:
                return False
            axis = 3 - axis
        read = _window(node) if axis == 2 and self._moves_first(node, moving) else None
        if read is not None:
            self.slide(node, shape[2:], Read(moving[0], *read))
        elif kind(node) == "permute" or self._is_pointwise(node, moving, shape, axis):
            self.join(node, moving, self.size(moving[0]))
        else:
            return False
        self.axes[node.name] = axis
        return True

    def _moves_first(self, node: fx.Node, moving: list[str]) -> bool:
        """Whether the first argument is all that changes."""
        first = node.args[0]
        return isinstance(first, fx.Node) and moving == [self._name(first)]

    def _is_pointwise(self, node: fx.Node, moving: list[str], shape: tuple[Any, ...], axis: int) -> bool:
        if {self.size(i) for i in moving} != {shape[axis : axis + 2]}:
            return False
        channel, name, args = (1 if axis == 2 else 3), kind(node), node.args
        if name in {"convolution", *_NORMS}:
            return (
                axis == 2
                and self._moves_first(node, moving)
                and (_is_dot if name == "convolution" else _is_fixed)(node)
            )
        if name in {"cat", "slice"}:
            along = len(args) > 1 and args[1] % 4 == channel
            return along and (name == "slice" or len(self.inputs(node)) == len(moving))
        if name == "getitem":
            return bool(args[1] == 0)
        return name in _POINTWISE and self._constants_fit(node, axis)

    def _constants_fit(self, node: fx.Node, axis: int) -> bool:
        """Whether what does not move is the same in all places and images."""
        still = [maps_of(each) for each in node.all_input_nodes if self._name(each) not in self.moving]
        return all(
            value is not None
            and all(n == 1 for p, n in enumerate(value.shape, 4 - value.ndim) if p in {0, axis, axis + 1})
            for value in still
        )


def kind(node: fx.Node) -> str:
    """The operator's name without its overload: "relu"."""
    schema = getattr(node.target, "_schema", None)
    return schema.name.removeprefix("aten::") if schema else getattr(node.target, "__name__", str(node.target))


def _is_single(node: fx.Node) -> bool:
    """Whether nothing reads another output than the first."""
    several = isinstance(node.meta.get("val"), tuple | list)
    return not several or all(user.args[1] == 0 or not user.users for user in node.users)


def _window(node: fx.Node) -> tuple[tuple[Sliding, Sliding], float] | None:
    """How an operator's windows slide, and what stands outside; None if it has none, or others."""
    if kind(node) == "constant_pad_nd":
        pads: list[int] = list(node.args[1])
        left, right, top, bottom, *others = [*pads, 0, 0, 0, 0]
        value = float(node.args[2]) if len(node.args) > 2 else 0.0
        fits = min(left, right, top, bottom) >= 0 and not any(others)
        return ((Sliding(0, 1, top), Sliding(0, 1, left)), value) if fits else None
    if kind(node) == "convolution":
        _, weight, _, stride, padding, dilation, transposed, _, _ = node.args
        size = _kernel(weight)
        if transposed or len(size) != 2 or _is_dot(node) or not _is_constant(weight):
            return None
        return _sliding(size, stride, padding, dilation), 0.0
    if kind(node) == "max_pool2d_with_indices":
        _, size, stride, padding, dilation, _ = _filled(node, [None, None, [], [0, 0], [1, 1], False])
        return _sliding(size, stride or size, padding, dilation), float("-inf")
    if kind(node) == "avg_pool2d":
        _, size, stride, padding, ceil, padded, _ = _filled(node, [None, None, [], [0, 0], False, True, None])
        uneven = ceil or (any(padding) and not padded)
        return None if uneven else (_sliding(size, stride or size, padding, [1, 1]), 0.0)
    return None


def _filled(node: fx.Node, defaults: list[Any]) -> list[Any]:
    return [*node.args, *defaults[len(node.args) :]]


def _sliding(size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Sliding, Sliding]:
    both = [list(each) * (2 // len(each)) for each in (size, stride, padding, dilation)]
    rows, columns = (Sliding((k - 1) * d, s, p) for k, s, p, d in zip(*both, strict=True))
    return rows, columns


def _kernel(weight: Any) -> tuple[int, ...]:
    value = maps_of(weight)
    return () if value is None else tuple(value.shape[2:])


def _is_constant(node: fx.Node) -> bool:
    """Whether it comes from parameters alone."""
    return node.op == "get_attr" or (node.op == "call_function" and all(map(_is_constant, node.all_input_nodes)))


def _is_dot(node: fx.Node) -> bool:
    """Whether a convolution reads each place where it stands."""
    _, weight, _, stride, padding, _, transposed, _, _ = node.args
    plain = {*stride} == {1} and not any(padding) and not transposed
    return plain and _kernel(weight) == (1, 1) and _is_constant(weight)


def _is_fixed(node: fx.Node) -> bool:
    """Whether a normalisation takes its mean and variance from parameters."""
    return kind(node) != "native_batch_norm" or node.args[5] is False


def _multiplications(node: fx.Node) -> float:
    """For each output."""
    if kind(node) == "convolution":
        weight = maps_of(node.args[1])
        return float(prod(weight.shape[1:])) if weight is not None else 0.0
    if kind(node) in {"addmm", "mm", "bmm"}:
        left = maps_of(node.args[1 if kind(node) == "addmm" else 0])
        return float(left.shape[-1]) if left is not None else 0.0
    return 0.0


def unpadded(node: fx.Node) -> None:
    """Change an operator of a stage, whose crops hold all that its windows read, padding included."""
    if kind(node) == "convolution":
        node.args = (*node.args[:4], [0, 0], *node.args[5:])
    elif kind(node) == "max_pool2d_with_indices":
        x, size, stride, _, dilation, _ = _filled(node, [None, None, [], [0, 0], [1, 1], False])
        node.args = (x, size, stride, [0, 0], dilation, False)
    elif kind(node) == "avg_pool2d":
        x, size, stride, _, _, _, divisor = _filled(node, [None, None, [], [0, 0], False, True, None])
        node.args = (x, size, stride, [0, 0], False, True, divisor)
    elif kind(node) == "constant_pad_nd":
        node.args = (node.args[0], [0] * len(node.args[1]), *node.args[2:])
