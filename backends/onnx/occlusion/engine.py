"""Occlusion by stages on onnxruntime: a session for each stage, one for what follows them.

SessionCache of stages run on one core each, called by as many threads as there are cores: nobody waits at the end of a
layer of a small crop, and while one copies crops the others compute. Between sessions maps lie with their channels
last, where a rectangle is a few long runs; onnxruntime turns that into its blocked layout as fast as channels first.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from threading import Lock
from typing import Any

import onnxruntime as ort
from crosslens.arrays import Array
from crosslens.model import INPUT
from crosslens.occlusion.partition import Partition, StageNodes
from crosslens.occlusion.receptive_field import POINTWISE
from crosslens.occlusion.stages import StagedNetwork, StageInput

from ..ir.graph import FLOAT, Graph, Node, Type
from ..ir.layers import LayerTensor
from ..ir.onnxruntime_errors import readable_errors
from ..ir.prune import prune
from ..ir.session import open_session
from ..runtime.batch_split import CPU_PROVIDER, cores
from ..runtime.executable import Executable
from ..runtime.program import Request, forward_program
from ..shapes.free_batch import BATCH
from .partition import partition

__all__ = ["OnnxStagedNetwork"]


_BLOCKED = frozenset({"Add", "BatchNormalization", "Concat", "Mul", "Sum"})
"""Operators that onnxruntime may compute in another order where their inputs are in its blocked layout."""
_TO_LAST, _TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)
_FOURS = 4
"""Channels that onnxruntime takes at a time between the blocked layout and another."""
_MOST = 8
"""Boxes are given to a backend by eight at most: more threads would have none; with more cores each takes several."""


class OnnxStagedNetwork(StagedNetwork):
    """A graph for one size of images; sessions open when they are first needed."""

    def __init__(
        self, graph: Graph, places: Mapping[str, LayerTensor], capture: Sequence[str], providers: Sequence[Any] | None
    ) -> None:
        """`graph` has its shapes worked out, the batch left open; `capture` are layers without `INPUT`."""
        self._graph, self._places, self._providers = graph, places, providers
        self._request = Request(tuple(capture))
        self._partition: Partition[Node] = partition(graph, [places[name].tensor for name in capture])
        self.stages, self.channels = self._partition.stages, self._partition.channels
        self.tail_cost, self.tail_inputs = self._partition.tail_cost, self._partition.tail_inputs
        self._turned = frozenset(name for stage in self.stages for name in stage.outputs if self._turns(name))
        axes = self._partition.row_axes
        self.row_axes = {name: 1 if name in self._turned else axis for name, axis in axes.items()}
        height, width = graph.sizes(INPUT)
        self.image_size = height, width
        self.threads, self._session_threads = _divided(providers)
        self._lock = Lock()
        self._open: dict[int, ort.InferenceSession] = {}
        self._last: dict[int, Executable] = {}

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the constants that the sessions may read."""
        return sum(value.nbytes for value in self._graph.constants.values())

    def _turns(self, name: str) -> bool:
        """Whether maps lie with their channels last between sessions.

        Not what others than stages read: onnxruntime adds up in another order in a pooling of maps that lie so.
        """
        first = self._partition.row_axes[name] == 2 and self._graph.elem(name) == FLOAT
        return first and self.channels[name] % _FOURS == 0 and name not in self.tail_inputs

    def run_stage(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """A stage's own session."""
        session = self._session(stage)
        with readable_errors("run a part of the network"):
            found: list[Array] = session.run(None, {_name(i): crop for i, crop in enumerate(crops)})
        return found

    def _session(self, stage: int) -> ort.InferenceSession:
        with self._lock:
            if stage not in self._open:
                made = _program(self._graph, self._partition, stage, self._turned)
                noted = [o for node in made.nodes for o in node.outputs[:1] if o not in made.outputs]
                self._open[stage] = open_session(made, self._providers, noted=noted, threads=self._session_threads)
            return self._open[stage]

    def _following(self, stages: int) -> Executable:
        with self._lock:
            if stages not in self._last:
                graph = _from(self._graph, self.live_tensors(stages), self._partition.row_axes, self._turned)
                program = forward_program(graph, self._places, self._request)
                given = {
                    name: f"live:{name}" for name in self.live_tensors(stages) if f"live:{name}" in program.graph.inputs
                }
                self._last[stages] = Executable(replace(program, replaced=given), self._providers)
            return self._last[stages]

    def run_tail(self, stages: int, maps: Mapping[str, Array]) -> Mapping[str, Array]:
        """The graph from these tensors on."""
        some = next(iter(maps.values()))
        activations, _ = self._following(stages).run(some, maps, {}, self._session_threads)
        return activations


def _divided(providers: Sequence[Any] | None) -> tuple[int, int]:
    """Calls at the same time, and threads of a session; 0 for as many as onnxruntime takes by itself."""
    if list(providers or [CPU_PROVIDER]) != [CPU_PROVIDER]:
        return 1, 0
    at_once = min(cores(), _MOST)
    return at_once, cores() // at_once


def _name(read: int) -> str:
    return f"read:{read}"


def _program(graph: Graph, partition: Partition[Node], stage: int, turned: Container[str]) -> Graph:
    """A stage on crops that hold all that its windows read, padding included; `turned` maps have their channels last.

    Its rows and columns have one name in all tensors: then onnxruntime adds up within a convolution where it does so
    on whole maps, in the same order, wherever its blocks (8 channels with AVX2, 16 with AVX-512) fit both alike.
    """
    part, axes, made = partition.stage_nodes[stage], partition.row_axes, graph.copy()
    names = {read: _name(i) for i, read in enumerate(part.inputs)}
    made.inputs = {name: _cropped(graph, read, name, axes) for read, name in names.items()}
    made.types |= made.inputs
    made.types |= {o: _named(graph, o, "stage", axes[o]) for node in part.nodes for o in node.outputs[:1]}
    made.nodes = []
    names |= {read: _turned_in(made, name) for read, name in names.items() if read.tensor in turned}
    blocked = {read: _blocked(made, name) for read, name in names.items() if _is_blocked(graph, part, read, axes)}
    made.nodes += [_unpadded(_given(node, given, names | blocked)) for node, given in part.nodes.items()]
    made.outputs = [_permuted(made, o, _TO_LAST) if o in turned else o for o in partition.stages[stage].outputs]
    prune(made)
    return made


def _turned_in(graph: Graph, name: str) -> str:
    """An input's type changed to one with the channels last; the same channels first."""
    first = graph.types[name]
    graph.inputs[name] = graph.types[name] = _reordered(first, _TO_LAST)
    return _permuted(graph, name, _TO_FIRST)


def _permuted(graph: Graph, name: str, order: tuple[int, ...]) -> str:
    made = graph.op("Transpose", name, perm=order)
    graph.types[made] = _reordered(graph.types[name], order)
    return made


def _reordered(kind: Type, order: tuple[int, ...]) -> Type:
    return Type(kind.elem, tuple((kind.dims or ())[axis] for axis in order))


def _is_blocked(graph: Graph, part: StageNodes[Node], read: StageInput, axes: Mapping[str, int]) -> bool:
    """Whether maps come from outside to an operator that must see them blocked."""
    readers = [node for node, given in part.nodes.items() if read in given.values()]
    first = axes[read.tensor] == 2 and graph.elem(read.tensor) == FLOAT
    return first and read.windows == POINTWISE and any(node.op in _BLOCKED for node in readers)


def _blocked(graph: Graph, name: str) -> str:
    """The same maps by a node that onnxruntime runs in its blocked layout, where it adds within a convolution."""
    same = graph.op("MaxPool", name, kernel_shape=[1, 1])
    graph.types[same] = graph.types[name]
    return same


def _cropped(graph: Graph, read: StageInput, name: str, axes: Mapping[str, int]) -> Type:
    return _named(graph, read.tensor, "stage" if read.windows == POINTWISE else name, axes[read.tensor])


def _named(graph: Graph, tensor: str, size: str, axis: int) -> Type:
    """The type of a crop, its rows and columns named after `size`."""
    dims: list[int | str] = [BATCH, *graph.dims(tensor)[1:]]
    dims[axis : axis + 2] = [f"{size}:rows", f"{size}:columns"]
    return Type(graph.elem(tensor), tuple(dims))


def _given(node: Node, given: Mapping[int, StageInput], names: Mapping[StageInput, str]) -> Node:
    inputs = (names[given[position]] if position in given else name for position, name in enumerate(node.inputs))
    return replace(node, inputs=tuple(inputs))


def _unpadded(node: Node) -> Node:
    if node.op == "Pad":
        return replace(node, op="Identity", inputs=node.inputs[:1], attributes={})
    if node.op not in {"Conv", "MaxPool", "AveragePool"}:
        return node
    kept = {k: v for k, v in node.attributes.items() if k not in {"pads", "auto_pad", "ceil_mode", "count_include_pad"}}
    return replace(node, attributes=kept)


def _from(graph: Graph, given: Sequence[str], axes: Mapping[str, int], turned: Container[str]) -> Graph:
    """The graph with these tensors as inputs, `live:` and their names; `turned` ones have their channels last."""
    made = graph.copy()
    after = [node for node in graph.nodes if not set(given).intersection(node.outputs)]
    blocked = {name for node in after if node.op in _BLOCKED for name in node.inputs}
    made.nodes = []
    for name in given:
        made.inputs[f"live:{name}"] = made.types[f"live:{name}"] = graph.types[name]
        source = _turned_in(made, f"live:{name}") if name in turned else f"live:{name}"
        layout = name in blocked and axes[name] == 2 and graph.elem(name) == FLOAT
        op, kernel = ("MaxPool", [1, 1]) if layout else ("Identity", None)
        made.nodes.append(graph.node(op, source, outputs=[name], kernel_shape=kernel))
    made.nodes += after
    return made
