"""A graph as stages for `crosslens.incremental`: runs of nodes whose outputs all change in the same rectangle.

A node that reads each place of a map where it stands joins the stage that made the map; a window that slides begins a
new one; branches that meet become one stage, unless one of them comes from the other. What is not known here, and all
that reads it, is left for the whole maps.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import prod

from crosslens.incremental import Read, Stage
from crosslens.model import INPUT
from crosslens.patches import POINTWISE, Sliding

from .graph import Graph, Node
from .windows import Windows, windows_of

__all__ = ["Cut", "Part", "cut"]

_SMOOTH = "Celu Elu Erf Exp Gelu HardSigmoid HardSwish Log Mish Pow Reciprocal Selu Sigmoid Softplus Softsign Sqrt Tanh"
_ARITHMETIC = "Abs Add Ceil Clip Div Floor LeakyRelu Max Mean Min Mul Neg PRelu Relu Round Sign Sub Sum ThresholdedRelu"
_POINTWISE = frozenset(f"BatchNormalization Cast Identity LRN {_SMOOTH} {_ARITHMETIC}".split())
_PER_CHANNEL = frozenset({"BatchNormalization", "Conv"})
"""Their constants have a shape of their own; those of others broadcast."""
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_AS_IT_STANDS = Read("", POINTWISE)
_TOUCH = 20.0
"""What making one number costs beside its multiplications."""


@dataclass(eq=False)
class Part:
    """A stage as nodes, each with what crops supply to it, by position among its inputs."""

    size: tuple[int, int]
    nodes: dict[Node, dict[int, Read]] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Each once."""
        return tuple(dict.fromkeys(read for given in self.nodes.values() for read in given.values()))


@dataclass
class Cut:
    """The stages in an order in which they can run, and what is left."""

    parts: list[Part]
    stages: list[Stage]
    rest: float
    leaves: frozenset[str]
    axes: dict[str, int]
    channels: dict[str, int]


def cut(graph: Graph, wanted: Iterable[str]) -> Cut:
    """The stages of a graph whose shapes are known; `wanted` are tensors that are asked for."""
    builder = _Builder(graph, frozenset(wanted))
    for node in graph.nodes:
        builder.take(node)
    return builder.finished()


class _Builder:
    def __init__(self, graph: Graph, wanted: frozenset[str]) -> None:
        self.wanted = wanted
        self.graph = graph
        self.axes = {INPUT: 2}
        self.home: dict[str, Part] = {}
        self.moving = {INPUT}
        self.late: list[Node] = []
        self.makers: dict[str, Node] = {}
        self.uses = Counter((*(i for node in graph.nodes for i in node.reads), *wanted))

    def take(self, node: Node) -> None:
        """Put a node into a stage, or aside."""
        moving = [i for i in node.reads if i in self.moving]
        if not moving:
            return
        self.moving.update(node.outputs)
        if not self._staged(node, moving):
            self.late.append(node)

    def _staged(self, node: Node, moving: list[str]) -> bool:
        known = all(i in self.axes for i in moving) and len({self.axes[i] for i in moving}) == 1
        if not known or any(node.outputs[1:]) or node.domain or not self._are_maps(node.outputs[0]):
            return False
        axis = self.axes[moving[0]]
        if node.op == "Transpose":
            axis = {_TO_LAST: 1, _TO_FIRST: 2}.get(node.attr("perm"), 0) if node.attr("perm") else 0
            if not axis or axis == self.axes[moving[0]]:
                return False
        window = _window(self.graph, node) if axis == 2 else None
        if window is not None:
            self._slide(node, window)
        elif node.op == "Transpose" or self._is_pointwise(node, moving, axis):
            self._join(node, moving)
        else:
            return False
        self.axes[node.outputs[0]] = axis
        return True

    def _are_maps(self, tensor: str) -> bool:
        kind = self.graph.types.get(tensor)
        dims = kind.dims if kind and kind.dims else ()
        return len(dims) == 4 and all(isinstance(d, int) for d in dims[1:])

    def _is_pointwise(self, node: Node, moving: list[str], axis: int) -> bool:
        sizes = {self._size(i, axis) for i in (*moving, node.outputs[0])}
        if len(sizes) != 1:
            return False
        if node.op == "Conv":
            return axis == 2 and _is_dot(self.graph, node)
        if node.op in {"Gather", "Concat"}:
            channel = 1 if axis == 2 else 3
            fits = node.attr("axis") % 4 == channel and (node.op == "Concat" or node.inputs[1] in self.graph.constants)
            return fits and all(i in self.moving for i in node.inputs[: None if node.op == "Concat" else 1])
        return node.op in _POINTWISE and (node.op in _PER_CHANNEL or self._constants_fit(node, axis))

    def _constants_fit(self, node: Node, axis: int) -> bool:
        """Whether what does not move is the same in all places."""
        still = [self.graph.value(i) for i in node.inputs if i and i not in self.moving]
        return all(
            value is not None
            and all(n == 1 for p, n in enumerate(value.shape, 4 - value.ndim) if p in {0, axis, axis + 1})
            for value in still
        )

    def _size(self, tensor: str, axis: int | None = None) -> tuple[int, int]:
        axis = self.axes[tensor] if axis is None else axis
        height, width = self.graph.sizes(tensor, (axis, axis + 1))
        return height, width

    def _slide(self, node: Node, window: tuple[tuple[Sliding, Sliding], float]) -> None:
        part = Part(self._size(node.outputs[0], 2))
        self._add(part, node, {node.inputs[0]: Read(node.inputs[0], *window)})

    def _join(self, node: Node, moving: list[str]) -> None:
        """To the stage of one of its inputs that none of the others waits for; independent ones become one first."""
        homes = dict.fromkeys(self.home[i] for i in moving if i in self.home)
        last = [h for h in homes if not any(self._waits(other, h) for other in homes if other is not h)]
        part = last[0] if last else Part(self._size(moving[0]))
        for other in last[1:]:
            self._merge(part, other)
        for name in moving:
            self._pull(part, name)
        self._add(part, node, {i: Read(i, POINTWISE) for i in moving if self.home.get(i) is not part})

    def _pull(self, part: Part, name: str) -> None:
        """Let a convolution that only this stage reads run in it: onnxruntime adds up where it convolves."""
        home = self.home.get(name)
        node = self.makers.get(name)
        if home is None or home is part or node is None or self.uses[name] != 1 or node.op not in _PER_CHANNEL:
            return
        if home.nodes[node].get(0, _AS_IT_STANDS).sliding != POINTWISE:
            return
        del home.nodes[node]
        source = node.inputs[0]
        self._pull(part, source)
        self._add(part, node, {} if self.home.get(source) is part else {source: Read(source, POINTWISE)})

    def _waits(self, part: Part, for_part: Part) -> bool:
        """Whether a stage needs another one, directly or not."""
        seen: set[int] = set()
        ahead = [part]
        while ahead:
            before = [self.home[r.tensor] for r in ahead.pop().reads if r.tensor in self.home]
            if any(b is for_part for b in before):
                return True
            ahead += [b for b in before if id(b) not in seen]
            seen.update(map(id, before))
        return False

    def _merge(self, part: Part, other: Part) -> None:
        part.nodes |= other.nodes
        self.home = {tensor: part if home is other else home for tensor, home in self.home.items()}

    def _add(self, part: Part, node: Node, outside: dict[str, Read]) -> None:
        part.nodes[node] = {position: outside[name] for position, name in enumerate(node.inputs) if name in outside}
        self.home[node.outputs[0]] = part
        self.makers[node.outputs[0]] = node

    def finished(self) -> Cut:
        parts = self._ordered()
        late = {name for node in self.late for name in node.reads}
        read = late | self.wanted | {r.tensor for part in parts for r in part.reads}
        writes = [tuple(node.outputs[0] for node in part.nodes if node.outputs[0] in read) for part in parts]
        stages = [
            Stage(part.reads, made, part.size, sum(_cost(self.graph, node) for node in part.nodes))
            for part, made in zip(parts, writes, strict=True)
        ]
        names = {INPUT, *(name for made in writes for name in made)}
        channels = {n: self.graph.sizes(n, (1 if self.axes[n] == 2 else 3,))[0] for n in names}
        rest = sum(_cost(self.graph, node) for node in self.late)
        return Cut(parts, stages, rest, frozenset((late | self.wanted) & names), self.axes, channels)

    def _ordered(self) -> list[Part]:
        """Each after those that it reads."""
        found: dict[int, Part] = {}

        def visit(part: Part) -> None:
            if id(part) not in found:
                for read in part.reads:
                    if read.tensor in self.home:
                        visit(self.home[read.tensor])
                found[id(part)] = part

        for part in self.home.values():
            visit(part)
        place = {node: position for position, node in enumerate(self.graph.nodes)}
        for part in found.values():
            part.nodes = {node: part.nodes[node] for node in sorted(part.nodes, key=place.__getitem__)}
        return list(found.values())


def _window(graph: Graph, node: Node) -> tuple[tuple[Sliding, Sliding], float] | None:
    """How a node's windows slide over rows and columns, and what stands outside; None if it has none, or others."""
    if node.op == "Pad":
        return _padding(graph, node)
    if node.op == "Conv":
        kernel = graph.sizes(node.inputs[1])
        fits = node.inputs[1] in graph.constants and not _is_dot(graph, node)
        return (_sliding(windows_of(graph, node, kernel)), 0.0) if fits else None
    if node.op not in {"MaxPool", "AveragePool"}:
        return None
    windows = windows_of(graph, node, node.attr("kernel_shape"))
    if node.op == "MaxPool":
        return _sliding(windows), float("-inf")
    uneven = any(windows.pads) and not node.attr("count_include_pad", 0)
    return None if uneven or min(windows.remainder) < 0 else (_sliding(windows), 0.0)


def _sliding(windows: Windows) -> tuple[Sliding, Sliding]:
    rows, columns = map(Sliding, windows.reach, windows.strides, windows.before)
    return rows, columns


def _is_dot(graph: Graph, node: Node) -> bool:
    """Whether a convolution reads each place where it stands."""
    windows = windows_of(graph, node, graph.sizes(node.inputs[1]))
    fits = node.inputs[1] in graph.constants and windows.unit_stride
    return fits and not any(windows.reach) and not any(windows.pads)


def _padding(graph: Graph, node: Node) -> tuple[tuple[Sliding, Sliding], float] | None:
    pads = graph.value(node.inputs[1])
    if pads is None or node.attr("mode", "constant") != "constant" or node.has(3):
        return None
    before, after = pads.tolist()[:4], pads.tolist()[4:]
    value = graph.value(node.inputs[2]) if node.has(2) else 0.0
    if any(before[:2]) or any(after[:2]) or min(*before, *after) < 0 or value is None:
        return None
    return (Sliding(0, 1, before[2]), Sliding(0, 1, before[3])), float(value)


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
