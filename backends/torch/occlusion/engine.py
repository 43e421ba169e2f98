"""Parts of a torch network that run alone: what follows given layers, and stages for `crosslens.occlusion.engine`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from crosslens.arrays import Array
from crosslens.model import INPUT
from crosslens.occlusion.partition import Part
from crosslens.occlusion.stages import NotStagedError, Read, Staged
from torch import Tensor, fx

from ..autograd.isolation import isolated
from .graph import Between, Trace, Traced, UntraceableError, needed, source, traced
from .partition import cut, unpadded

__all__ = ["Parts", "TorchStaged"]

PATIENCE = 3
"""Passes from given activations that run the whole network before its graph is recorded, which takes as long."""
Outside = Callable[[Mapping[str, Tensor], Array], dict[str, Array]]
"""Tensors by layer as arrays, channels-first, of the kind of another array."""


Prepared = Callable[[Array], Array]
"""Images as the network wants their values, each pixel on its own."""


class Parts:
    """The graphs of one network, by size of image, recorded when they are first needed."""

    def __init__(
        self, run: Trace, like: Tensor, memory: torch.memory_format, tensors: Callable[[], Sequence[Tensor]]
    ) -> None:
        """`run` is what is recorded, for images that lie so in memory; `tensors()` gives the network's parameters."""
        self._run, self._like, self._memory, self._tensors = run, like, memory, tensors
        self._traced: dict[tuple[int, ...], Traced | UntraceableError] = {}
        self._between: dict[Any, Between] = {}
        self._staged: dict[Any, TorchStaged] = {}
        self._asked: Counter[Any] = Counter()

    def graph(self, shape: tuple[int, ...]) -> Traced:
        """The network at images (C, H, W).

        Raises:
            UntraceableError: see `crosslens.backends.torch.occlusion.graph.traced`.
        """
        tensors = tuple(self._tensors())
        found = self._traced.get(shape)
        if isinstance(found, Traced) and not found.holds(tensors):
            self._between, self._staged, found = {}, {}, None  # parameters were exchanged
        if found is None:
            try:
                found = traced(self._run, shape, self._like, self._memory, tensors)
            except UntraceableError as error:
                found = error
            self._traced[shape] = found
        if isinstance(found, UntraceableError):
            raise found
        return found

    def after(self, given: Mapping[str, Tensor], wanted: Sequence[str], shape: tuple[int, ...]) -> Between | None:
        """What computes these layers from given activations; None where the whole network must run, or may as well."""
        key = (shape, tuple(given), tuple(wanted))
        self._asked[key] += 1
        if self._asked[key] <= PATIENCE:
            return None
        try:
            graph = self.graph(shape)
        except UntraceableError:
            return None  # the whole network gives the same; only the time differs
        if not {*given, *wanted} <= graph.layers.keys() or not _same_shapes(graph, given):
            return None
        if key not in self._between:
            self._between[key] = Between(graph, [graph.layers[n] for n in given], [graph.layers[n] for n in wanted])
        return self._between[key]

    def staged(
        self, shape: tuple[int, ...], wanted: tuple[str, ...], prepared: Prepared, outside: Outside
    ) -> "TorchStaged":
        """The network as stages.

        Raises:
            NotStagedError: its graph cannot be recorded, or a layer asked for is not in it.
        """
        try:
            graph = self.graph(shape)
        except UntraceableError as error:
            raise NotStagedError(str(error)) from error
        if not {*wanted} <= graph.layers.keys():
            raise NotStagedError(f"{', '.join({*wanted} - graph.layers.keys())} is no part of the recorded graph")
        if (shape, wanted) not in self._staged:
            self._staged[shape, wanted] = TorchStaged(graph, shape, wanted, prepared, outside)
        return self._staged[shape, wanted]


def _same_shapes(graph: Traced, given: Mapping[str, Tensor]) -> bool:
    return all(tuple(graph.layers[n].meta["val"].shape[1:]) == tuple(v.shape[1:]) for n, v in given.items())


class TorchStaged(Staged):
    """A recorded network as stages, each a graph of its own."""

    slower = 1.15

    def __init__(
        self, graph: Traced, shape: tuple[int, ...], wanted: tuple[str, ...], prepared: Prepared, outside: Outside
    ) -> None:
        self._prepared = prepared
        self._graph, self._wanted, self._outside = graph, wanted, outside
        self._cut = cut(graph, [graph.layers[name] for name in wanted])
        self.stages, self.rest, self.leaves = self._cut.stages, self._cut.rest, self._cut.leaves
        self.channels, self.axes = self._cut.channels, self._cut.axes
        self.image_size = shape[1], shape[2]
        self._nodes = {node.name: node for node in graph.root.graph.nodes} | {INPUT: graph.image}
        self._parts: dict[int, fx.GraphModule] = {}
        self._last: dict[int, Between] = {}

    def prepared(self, x: Array) -> Array:
        """Normalised: a graph begins there."""
        return self._prepared(x)

    def run(self, stage: int, crops: Sequence[Array]) -> Sequence[Array]:
        """Operators on the crops; one alone is computed twice, for torch convolves a single small image otherwise."""
        if stage not in self._parts:
            self._parts[stage] = _alone(self._graph, self._cut.parts[stage], self.stages[stage].writes)
        found = self._in_company(lambda given, _: self._parts[stage](*given), crops)
        return [self._array(made, crops[0]) for made in found]

    def _in_company(self, run: Callable[[list[Tensor], int], Sequence[Tensor]], arrays: Sequence[Array]) -> Any:
        count = max(arrays[0].shape[0], 2)
        with isolated(grad=False):
            tensors = [torch.from_numpy(a) if isinstance(a, np.ndarray) else a for a in arrays]
            if arrays[0].shape[0] == count:
                return run(tensors, count)
            return [made[:1] for made in run([torch.cat([t, t]) for t in tensors], count)]

    def finish(self, done: int, wholes: Mapping[str, Array]) -> Mapping[str, Array]:
        """The graph from these tensors on."""
        live = self.live(done)
        if done not in self._last:
            nodes = [self._graph.layers[name] for name in self._wanted]
            self._last[done] = Between(self._graph, [self._nodes[name] for name in live], nodes)
        last = self._last[done]
        found = self._in_company(lambda given, count: last(given, None, count), [wholes[name] for name in live])
        return self._outside(dict(zip(self._wanted, found, strict=True)), wholes[live[0]])

    def _array(self, tensor: Tensor, like: Array) -> Array:
        return tensor.numpy() if isinstance(like, np.ndarray) else tensor


def _alone(traced: Traced, part: Part[fx.Node], writes: Sequence[str]) -> fx.GraphModule:
    """A stage as a graph from its crops to what it writes."""
    graph = fx.Graph()
    crops: dict[Read, fx.Node] = {read: graph.placeholder(f"crop_{i}") for i, read in enumerate(part.reads)}
    env: dict[fx.Node, fx.Node] = {}
    for node, given in part.nodes.items():
        inputs = node.all_input_nodes
        reads = {inputs[position]: crops[read] for position, read in given.items()}
        for still in needed([i for i in inputs if i not in reads and source(i) not in env], env):
            env[still] = graph.node_copy(still, env.__getitem__)
        env[node] = graph.node_copy(node, lambda each, reads=reads: reads.get(each) or env[source(each)])
        unpadded(env[node])
    by_name = {node.name: made for node, made in env.items()}
    graph.output(tuple(by_name[name] for name in writes))
    return fx.GraphModule(traced.root, graph)
