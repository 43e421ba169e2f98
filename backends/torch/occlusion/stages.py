"""A recorded torch network as the stages of an occlusion, each a graph module of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from crosslens.arrays import Array
from crosslens.model import INPUT
from crosslens.occlusion.partition import StageNodes
from crosslens.occlusion.stages import StagedNetwork, StageInput
from torch import Tensor, fx

from ..autograd.isolation import isolation
from .partition import partition, remove_padding
from .recorded_graph import RecordedGraph, Subgraph, copy_source, required_nodes

__all__ = ["Preprocess", "ToArrays", "TorchStagedNetwork"]

ToArrays = Callable[[Mapping[str, Tensor], Array], dict[str, Array]]
"""Tensors by layer as arrays, channels-first, of the kind of another array."""
Preprocess = Callable[[Array], Array]
"""Images as the network reads their values; each pixel depends on itself alone."""


class TorchStagedNetwork(StagedNetwork):
    """A recorded network as stages; their modules are made when they are first needed."""

    crop_slowdown = 1.15

    def __init__(
        self,
        graph: RecordedGraph,
        shape: tuple[int, ...],
        requested: tuple[str, ...],
        preprocess: Preprocess,
        to_arrays: ToArrays,
    ) -> None:
        """`shape` is (C, H, W) of the images, `requested` are the layers asked for."""
        self._graph, self._requested = graph, requested
        self._preprocess, self._to_arrays = preprocess, to_arrays
        self._partition = partition(graph, [graph.layers[name] for name in requested])
        self.stages, self.channels = self._partition.stages, self._partition.channels
        self.tail_cost, self.tail_inputs = self._partition.tail_cost, self._partition.tail_inputs
        self.row_axes = self._partition.row_axes
        self.image_size = shape[1], shape[2]
        self._nodes = {node.name: node for node in graph.root.graph.nodes} | {INPUT: graph.image}
        self._stage_modules: dict[int, fx.GraphModule] = {}
        self._tails: dict[int, Subgraph] = {}

    def preprocess(self, x: Array) -> Array:
        """Normalised: the recorded graph begins there."""
        return self._preprocess(x)

    def run_stage(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """The stage's operators on the crops."""
        if stage not in self._stage_modules:
            nodes, outputs = self._partition.stage_nodes[stage], self.stages[stage].outputs
            self._stage_modules[stage] = _stage_module(self._graph, nodes, outputs)
        outputs = _run_two_or_more(lambda tensors, _: self._stage_modules[stage](*tensors), crops)
        return [each.numpy() if isinstance(crops[0], np.ndarray) else each for each in outputs]

    def run_tail(self, stages: int, maps: Mapping[str, Array]) -> Mapping[str, Array]:
        """The graph from these tensors on."""
        live = self.live_tensors(stages)
        if stages not in self._tails:
            layers = [self._graph.layers[name] for name in self._requested]
            self._tails[stages] = Subgraph(self._graph, [self._nodes[name] for name in live], layers)
        tail = self._tails[stages]
        values = _run_two_or_more(lambda tensors, count: tail(tensors, None, count), [maps[name] for name in live])
        return self._to_arrays(dict(zip(self._requested, values, strict=True)), maps[live[0]])


def _run_two_or_more(run: Callable[[list[Tensor], int], Sequence[Tensor]], arrays: Sequence[Array]) -> Any:
    """Outputs of `run(tensors, count)`; one image runs twice, for torch has another convolution for one small image."""
    count = max(arrays[0].shape[0], 2)
    with isolation(grad=False):
        tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arrays]
        if arrays[0].shape[0] == count:
            return run(tensors, count)
        return [output[:1] for output in run([torch.cat([t, t]) for t in tensors], count)]


def _stage_module(recorded: RecordedGraph, stage: StageNodes[fx.Node], outputs: Sequence[str]) -> fx.GraphModule:
    """A stage as a graph from its crops to its outputs."""
    graph = fx.Graph()
    crops: dict[StageInput, fx.Node] = {read: graph.placeholder(f"crop_{i}") for i, read in enumerate(stage.inputs)}
    copies: dict[fx.Node, fx.Node] = {}
    for node, outside in stage.nodes.items():
        inputs = node.all_input_nodes
        reads = {inputs[position]: crops[read] for position, read in outside.items()}
        constants = [i for i in inputs if i not in reads and copy_source(i) not in copies]
        for constant in required_nodes(constants, copies):
            copies[constant] = graph.node_copy(constant, copies.__getitem__)
        copies[node] = graph.node_copy(node, lambda each, reads=reads: reads.get(each) or copies[copy_source(each)])
        remove_padding(copies[node])
    by_name = {node.name: copy for node, copy in copies.items()}
    graph.output(tuple(by_name[name] for name in outputs))
    return fx.GraphModule(recorded.root, graph)
