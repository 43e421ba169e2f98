"""Occlusion in stages on onnxruntime: a session for each stage, and one for the rest of the network.

A session runs on one core, and as many threads as there are cores call it: no thread waits at the end of a layer of a
small crop, and while one copies crops the others compute. Between sessions maps are channels-last, where a row of a
crop is contiguous; onnxruntime converts that to its blocked layout as fast as channels-first.
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

from ..boundary import one_line_errors
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
"""Channels that onnxruntime converts at a time between the blocked layout and another."""
_MOST = 8
"""Maximum number of threads: boxes come eight at a time, so that more threads would have none."""


@one_line_errors("run the network in stages")
class OnnxStagedNetwork(StagedNetwork):
    """The stages of a graph for one image size; sessions open when first needed."""

    def __init__(
        self, graph: Graph, layers: Mapping[str, LayerTensor], capture: Sequence[str], providers: Sequence[Any] | None
    ) -> None:
        """Partition the graph.

        Args:
            graph: the network, shapes inferred for one image size and a free batch.
            layers: the layers' tensors by name.
            capture: names of the layers to compute, without `INPUT`.
            providers: onnxruntime's execution providers; the CPU's if None.
        """
        self._graph, self._layers, self._providers = graph, layers, providers
        self._request = Request(tuple(capture))
        self._partition: Partition[Node] = partition(graph, [layers[name].tensor for name in capture])
        self.stages, self.channels = self._partition.stages, self._partition.channels
        self.tail_cost, self.tail_inputs = self._partition.tail_cost, self._partition.tail_inputs
        self._channels_last = frozenset(
            name for stage in self.stages for name in stage.outputs if self._is_channels_last(name)
        )
        axes = self._partition.row_axes
        self.row_axes = {name: 1 if name in self._channels_last else axis for name, axis in axes.items()}
        height, width = graph.sizes(INPUT)
        self.image_size = height, width
        self.threads, self._session_threads = _threads(providers)
        self._lock = Lock()
        self._sessions: dict[int, ort.InferenceSession] = {}
        self._tails: dict[int, Executable] = {}

    @cached_property
    def nbytes(self) -> int:
        """Bytes of the constants that the sessions may read."""
        return sum(value.nbytes for value in self._graph.constants.values())

    def _is_channels_last(self, name: str) -> bool:
        """Whether maps are passed channels-last between sessions.

        Maps that the rest of the network reads are not: a pooling would add them up in another order.
        """
        first = self._partition.row_axes[name] == 2 and self._graph.elem(name) == FLOAT
        return first and self.channels[name] % _FOURS == 0 and name not in self.tail_inputs

    def run_stage(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """Run the session of a stage."""
        session = self._session(stage)
        with readable_errors("run a part of the network"):
            maps: list[Array] = session.run(None, {_input_name(i): crop for i, crop in enumerate(crops)})
        return maps

    def _session(self, stage: int) -> ort.InferenceSession:
        with self._lock:
            if stage not in self._sessions:
                made = _stage_graph(self._graph, self._partition, stage, self._channels_last)
                noted = [o for node in made.nodes for o in node.outputs[:1] if o not in made.outputs]
                self._sessions[stage] = open_session(made, self._providers, noted=noted, threads=self._session_threads)
            return self._sessions[stage]

    def _tail(self, stages: int) -> Executable:
        with self._lock:
            if stages not in self._tails:
                graph = _tail_graph(
                    self._graph, self.live_tensors(stages), self._partition.row_axes, self._channels_last
                )
                program = forward_program(graph, self._layers, self._request)
                given = {
                    name: f"live:{name}" for name in self.live_tensors(stages) if f"live:{name}" in program.graph.inputs
                }
                self._tails[stages] = Executable(replace(program, replaced=given), self._providers)
            return self._tails[stages]

    def run_tail(self, stages: int, maps: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run the graph from these tensors on."""
        any_maps = next(iter(maps.values()))
        activations, _ = self._tail(stages).run(any_maps, maps, {}, self._session_threads)
        return activations


def _threads(providers: Sequence[Any] | None) -> tuple[int, int]:
    """(calls at the same time, threads of a session); 0 for onnxruntime's own choice."""
    if list(providers or [CPU_PROVIDER]) != [CPU_PROVIDER]:
        return 1, 0
    parallel = min(cores(), _MOST)
    return parallel, cores() // parallel


def _input_name(read: int) -> str:
    return f"read:{read}"


def _stage_graph(graph: Graph, partition: Partition[Node], stage: int, channels_last: Container[str]) -> Graph:
    """The graph of a stage on crops that contain all that its windows read, padding included.

    Rows and columns have one name in all its tensors: then onnxruntime fuses additions into a convolution as it does on
    whole maps, and adds in the same order, wherever its blocks (8 channels with AVX2, 16 with AVX-512) fit both.
    """
    part, axes, made = partition.stage_nodes[stage], partition.row_axes, graph.copy()
    names = {read: _input_name(i) for i, read in enumerate(part.inputs)}
    made.inputs = {name: _crop_type(graph, read, name, axes) for read, name in names.items()}
    made.types |= made.inputs
    made.types |= {o: _type_of_size(graph, o, "stage", axes[o]) for node in part.nodes for o in node.outputs[:1]}
    made.nodes = []
    names |= {read: _channels_first_input(made, name) for read, name in names.items() if read.tensor in channels_last}
    blocked = {
        read: _in_blocked_layout(made, name)
        for read, name in names.items()
        if _needs_blocked_layout(graph, part, read, axes)
    }
    made.nodes += [_without_padding(_with_inputs(node, given, names | blocked)) for node, given in part.nodes.items()]
    made.outputs = [_transpose(made, o, _TO_LAST) if o in channels_last else o for o in partition.stages[stage].outputs]
    prune(made)
    return made


def _channels_first_input(graph: Graph, name: str) -> str:
    """Make an input channels-last, in place; return it channels-first."""
    first = graph.types[name]
    graph.inputs[name] = graph.types[name] = _transposed_type(first, _TO_LAST)
    return _transpose(graph, name, _TO_FIRST)


def _transpose(graph: Graph, name: str, order: tuple[int, ...]) -> str:
    made = graph.op("Transpose", name, perm=order)
    graph.types[made] = _transposed_type(graph.types[name], order)
    return made


def _transposed_type(kind: Type, order: tuple[int, ...]) -> Type:
    return Type(kind.elem, tuple((kind.dims or ())[axis] for axis in order))


def _needs_blocked_layout(graph: Graph, part: StageNodes[Node], read: StageInput, axes: Mapping[str, int]) -> bool:
    """Whether an input goes to an operator that must read it in onnxruntime's blocked layout."""
    readers = [node for node, given in part.nodes.items() if read in given.values()]
    first = axes[read.tensor] == 2 and graph.elem(read.tensor) == FLOAT
    return first and read.windows == POINTWISE and any(node.op in _BLOCKED for node in readers)


def _in_blocked_layout(graph: Graph, name: str) -> str:
    """The same maps in onnxruntime's blocked layout, where it fuses additions into convolutions: a MaxPool by 1x1."""
    same = graph.op("MaxPool", name, kernel_shape=[1, 1])
    graph.types[same] = graph.types[name]
    return same


def _crop_type(graph: Graph, read: StageInput, name: str, axes: Mapping[str, int]) -> Type:
    return _type_of_size(graph, read.tensor, "stage" if read.windows == POINTWISE else name, axes[read.tensor])


def _type_of_size(graph: Graph, tensor: str, size: str, axis: int) -> Type:
    """The type of a crop with rows and columns of the named size."""
    dims: list[int | str] = [BATCH, *graph.dims(tensor)[1:]]
    dims[axis : axis + 2] = [f"{size}:rows", f"{size}:columns"]
    return Type(graph.elem(tensor), tuple(dims))


def _with_inputs(node: Node, given: Mapping[int, StageInput], names: Mapping[StageInput, str]) -> Node:
    inputs = (names[given[position]] if position in given else name for position, name in enumerate(node.inputs))
    return replace(node, inputs=tuple(inputs))


def _without_padding(node: Node) -> Node:
    if node.op == "Pad":
        return replace(node, op="Identity", inputs=node.inputs[:1], attributes={})
    if node.op not in {"Conv", "MaxPool", "AveragePool"}:
        return node
    kept = {k: v for k, v in node.attributes.items() if k not in {"pads", "auto_pad", "ceil_mode", "count_include_pad"}}
    return replace(node, attributes=kept)


def _tail_graph(graph: Graph, given: Sequence[str], axes: Mapping[str, int], channels_last: Container[str]) -> Graph:
    """The rest of the graph with these tensors as inputs, named `live:` and the tensor's name."""
    made = graph.copy()
    after = [node for node in graph.nodes if not set(given).intersection(node.outputs)]
    blocked = {name for node in after if node.op in _BLOCKED for name in node.inputs}
    made.nodes = []
    for name in given:
        made.inputs[f"live:{name}"] = made.types[f"live:{name}"] = graph.types[name]
        source = _channels_first_input(made, f"live:{name}") if name in channels_last else f"live:{name}"
        layout = name in blocked and axes[name] == 2 and graph.elem(name) == FLOAT
        op, kernel = ("MaxPool", [1, 1]) if layout else ("Identity", None)
        made.nodes.append(graph.node(op, source, outputs=[name], kernel_shape=kernel))
    made.nodes += after
    return made
