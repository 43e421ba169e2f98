"""Partitions an ONNX graph into stages of an occlusion: which nodes slide a window, and which are pointwise."""

from collections.abc import Iterable, Sequence
from math import prod

from crosslens.occlusion.partition import Partition, Partitioner
from crosslens.occlusion.receptive_field import SlidingWindow
from crosslens.occlusion.stages import StageInput

from ..ir.graph import Graph, Node
from ..ir.sliding_window import WindowGeometry, window_geometry

__all__ = ["partition"]

_SMOOTH = "Celu Elu Erf Exp Gelu HardSigmoid HardSwish Log Mish Pow Reciprocal Selu Sigmoid Softplus Softsign Sqrt Tanh"
_ARITHMETIC = "Abs Add Ceil Clip Div Floor LeakyRelu Max Mean Min Mul Neg PRelu Relu Round Sign Sub Sum ThresholdedRelu"
_POINTWISE = frozenset(f"BatchNormalization Cast Identity LRN {_SMOOTH} {_ARITHMETIC}".split())
_PER_CHANNEL = frozenset({"BatchNormalization", "Conv"})
"""Their constants have a shape of their own; those of others broadcast."""
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_TOUCH = 20.0
"""Cost of writing one number, in multiplications."""


def partition(graph: Graph, requested: Iterable[str]) -> Partition[Node]:
    """The stages of a graph whose shapes are known; `requested` are tensors that are asked for."""
    return _OnnxPartitioner(graph, requested).partition()


class _OnnxPartitioner(Partitioner[Node]):
    fused_kinds = _PER_CHANNEL
    """onnxruntime adds a bias or an offset within the convolution."""

    def __init__(self, graph: Graph, requested: Iterable[str]) -> None:
        self.graph = graph
        super().__init__(graph.nodes, requested)

    def inputs(self, node: Node) -> Sequence[str]:
        """A subgraph's own reads come last."""
        return (*node.inputs, *(name for name in node.reads if name not in node.inputs))

    def outputs(self, node: Node) -> Sequence[str]:
        return node.outputs

    def kind(self, node: Node) -> str:
        return node.op

    def size(self, tensor: str) -> tuple[int, int]:
        return self._size(tensor, self.row_axes[tensor])

    def channels(self, tensor: str) -> int:
        (count,) = self.graph.sizes(tensor, (1 if self.row_axes[tensor] == 2 else 3,))
        return count

    def cost(self, node: Node) -> float:
        return _cost(self.graph, node)

    def assign(self, node: Node, dependent: list[str]) -> bool:
        known = all(i in self.row_axes for i in dependent) and len({self.row_axes[i] for i in dependent}) == 1
        if not known or any(node.outputs[1:]) or node.domain or not self._are_maps(node.outputs[0]):
            return False
        axis = self.row_axes[dependent[0]]
        if node.op == "Transpose":
            axis = {_TO_LAST: 1, _TO_FIRST: 2}.get(node.attr("perm"), 0) if node.attr("perm") else 0
            if not axis or axis == self.row_axes[dependent[0]]:
                return False
        window = _window(self.graph, node) if axis == 2 else None
        if window is not None:
            self.begin_stage(node, self._size(node.outputs[0], 2), StageInput(node.inputs[0], *window))
        elif node.op == "Transpose" or self._is_pointwise(node, dependent, axis):
            self.join_stage(node, dependent, self.size(dependent[0]))
        else:
            return False
        self.row_axes[node.outputs[0]] = axis
        return True

    def _are_maps(self, tensor: str) -> bool:
        kind = self.graph.types.get(tensor)
        dims = kind.dims if kind and kind.dims else ()
        return len(dims) == 4 and all(isinstance(d, int) for d in dims[1:])

    def _is_pointwise(self, node: Node, dependent: list[str], axis: int) -> bool:
        sizes = {self._size(i, axis) for i in (*dependent, node.outputs[0])}
        if len(sizes) != 1:
            return False
        if node.op == "Conv":
            return axis == 2 and _is_pointwise_convolution(self.graph, node)
        if node.op in {"Gather", "Concat"}:
            channel = 1 if axis == 2 else 3
            fits = node.attr("axis") % 4 == channel and (node.op == "Concat" or node.inputs[1] in self.graph.constants)
            return fits and all(i in self.image_dependent for i in node.inputs[: None if node.op == "Concat" else 1])
        return node.op in _POINTWISE and (node.op in _PER_CHANNEL or self._constants_fit(node, axis))

    def _constants_fit(self, node: Node, axis: int) -> bool:
        """Whether the inputs that do not depend on the image are the same at all positions."""
        constants = [self.graph.value(i) for i in node.inputs if i and i not in self.image_dependent]
        return all(
            value is not None
            and all(n == 1 for p, n in enumerate(value.shape, 4 - value.ndim) if p in {0, axis, axis + 1})
            for value in constants
        )

    def _size(self, tensor: str, axis: int) -> tuple[int, int]:
        height, width = self.graph.sizes(tensor, (axis, axis + 1))
        return height, width


def _window(graph: Graph, node: Node) -> tuple[tuple[SlidingWindow, SlidingWindow], float] | None:
    """How a node's windows slide over rows and columns, and what stands outside; None if it has none, or others."""
    if node.op == "Pad":
        return _padding(graph, node)
    if node.op == "Conv":
        kernel = graph.sizes(node.inputs[1])
        fits = node.inputs[1] in graph.constants and not _is_pointwise_convolution(graph, node)
        return (_sliding(window_geometry(graph, node, kernel)), 0.0) if fits else None
    if node.op not in {"MaxPool", "AveragePool"}:
        return None
    windows = window_geometry(graph, node, node.attr("kernel_shape"))
    if node.op == "MaxPool":
        return _sliding(windows), float("-inf")
    uneven = any(windows.pads) and not node.attr("count_include_pad", 0)
    return None if uneven or min(windows.remainder) < 0 else (_sliding(windows), 0.0)


def _sliding(windows: WindowGeometry) -> tuple[SlidingWindow, SlidingWindow]:
    rows, columns = map(SlidingWindow, (reach + 1 for reach in windows.reach), windows.strides, windows.before)
    return rows, columns


def _is_pointwise_convolution(graph: Graph, node: Node) -> bool:
    """Whether each output of a convolution reads one position: a 1x1 kernel, stride 1, no padding."""
    windows = window_geometry(graph, node, graph.sizes(node.inputs[1]))
    fits = node.inputs[1] in graph.constants and windows.unit_stride
    return fits and not any(windows.reach) and not any(windows.pads)


def _padding(graph: Graph, node: Node) -> tuple[tuple[SlidingWindow, SlidingWindow], float] | None:
    pads = graph.value(node.inputs[1])
    if pads is None or node.attr("mode", "constant") != "constant" or node.has(3):
        return None
    before, after = pads.tolist()[:4], pads.tolist()[4:]
    value = graph.value(node.inputs[2]) if node.has(2) else 0.0
    if any(before[:2]) or any(after[:2]) or min(*before, *after) < 0 or value is None:
        return None
    return (SlidingWindow(padding=before[2]), SlidingWindow(padding=before[3])), float(value)


def _cost(graph: Graph, node: Node) -> float:
    """Multiplications for one image, and what making the outputs costs beside them."""
    kind = graph.types.get(node.outputs[0])
    made = float(prod(d for d in (kind.dims or ())[1:] if isinstance(d, int))) if kind else 0.0
    return made * (_TOUCH + _multiplications(graph, node))


def _multiplications(graph: Graph, node: Node) -> float:
    """For each output."""
    if node.op == "Conv":
        return float(prod(graph.sizes(node.inputs[1], slice(1, None))))
    last = graph.types[node.inputs[0]].dims or (1,) if node.inputs[0] in graph.types else (1,)
    return float(last[-1]) if node.op in {"Gemm", "MatMul"} and isinstance(last[-1], int) else 0.0
