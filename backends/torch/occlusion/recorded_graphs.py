"""The recorded graphs of one torch network, by image size, and the parts of them that run alone."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from crosslens.occlusion import NoStagesError
from torch import Tensor

from .recorded_graph import RecordedGraph, RunNetwork, Subgraph, UnrecordableError, record_graph
from .stages import Preprocess, ToArrays, TorchStagedNetwork

__all__ = ["RecordedGraphs"]

PATIENCE = 3
"""Runs from given activations that use the whole network before its graph is recorded, which takes as long."""


class RecordedGraphs:
    """The graphs of one network, by image size, recorded when they are first needed."""

    def __init__(
        self, run: RunNetwork, like: Tensor, memory: torch.memory_format, tensors: Callable[[], Sequence[Tensor]]
    ) -> None:
        """Record nothing yet.

        Args:
            run: the network, as it is recorded.
            like: a tensor of the images' type and device.
            memory: the images' layout in memory.
            tensors: gives the network's parameters and buffers as they are now.
        """
        self._run, self._like, self._memory, self._tensors = run, like, memory, tensors
        self._recorded: dict[tuple[int, ...], RecordedGraph | UnrecordableError] = {}
        self._subgraphs: dict[Any, Subgraph] = {}
        self._staged: dict[Any, TorchStagedNetwork] = {}
        self._requests: Counter[Any] = Counter()

    def graph(self, shape: tuple[int, ...]) -> RecordedGraph:
        """The network at images (C, H, W).

        Raises:
            UnrecordableError: see `crosslens.backends.torch.occlusion.recorded_graph.record_graph`.
        """
        tensors = tuple(self._tensors())
        graph = self._recorded.get(shape)
        if isinstance(graph, RecordedGraph) and not graph.has_tensors(tensors):
            self._subgraphs, self._staged, graph = {}, {}, None  # parameters were exchanged
        if graph is None:
            try:
                graph = record_graph(self._run, shape, self._like, self._memory, tensors)
            except UnrecordableError as error:
                graph = error
            self._recorded[shape] = graph
        if isinstance(graph, UnrecordableError):
            raise graph
        return graph

    def subgraph(
        self, given: Mapping[str, Tensor], requested: Sequence[str], shape: tuple[int, ...]
    ) -> Subgraph | None:
        """What computes these layers from given activations; None where the whole network must run, or may as well."""
        key = (shape, tuple(given), tuple(requested))
        self._requests[key] += 1
        if self._requests[key] <= PATIENCE:
            return None
        try:
            graph = self.graph(shape)
        except UnrecordableError:
            return None  # the whole network gives the same; only the time differs
        if not {*given, *requested} <= graph.layers.keys() or not _have_recorded_shapes(graph, given):
            return None
        if key not in self._subgraphs:
            starts, ends = ([graph.layers[name] for name in names] for names in (given, requested))
            self._subgraphs[key] = Subgraph(graph, starts, ends)
        return self._subgraphs[key]

    def staged_network(
        self, shape: tuple[int, ...], requested: tuple[str, ...], preprocess: Preprocess, to_arrays: ToArrays
    ) -> TorchStagedNetwork:
        """The network as stages of an occlusion.

        Args:
            shape: (C, H, W) of the images.
            requested: the layers asked for.
            preprocess: images as the recorded graph reads them.
            to_arrays: values of layers as arrays of the contract.

        Raises:
            NoStagesError: its graph cannot be recorded, or a layer asked for is not in it.
        """
        try:
            graph = self.graph(shape)
        except UnrecordableError as error:
            raise NoStagesError(str(error)) from error
        if missing := {*requested} - graph.layers.keys():
            raise NoStagesError(f"{', '.join(sorted(missing))} is not in the recorded graph")
        if (shape, requested) not in self._staged:
            self._staged[shape, requested] = TorchStagedNetwork(graph, shape, requested, preprocess, to_arrays)
        return self._staged[shape, requested]


def _have_recorded_shapes(graph: RecordedGraph, given: Mapping[str, Tensor]) -> bool:
    return all(tuple(graph.layers[n].meta["val"].shape[1:]) == tuple(v.shape[1:]) for n, v in given.items())
