"""Partitioning a graph of operators into stages: connected operators whose outputs change in the same rectangle.

An operator whose outputs each read one position (pointwise) joins the stage of its input; a sliding window begins a new
stage; branches that meet become one stage, unless one depends on the other. An operator that the backend does not know,
and all that reads it, goes to the tail, which runs on whole maps. A backend says of each operator which it is.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..model.layer import INPUT
from .receptive_field import POINTWISE
from .stages import Stage, StageInput

__all__ = ["Partition", "Partitioner", "StageNodes"]

N = TypeVar("N", bound=Hashable)


@dataclass(eq=False)
class StageNodes(Generic[N]):
    """The nodes of a stage, each with those of its inputs, by position, that come from outside the stage."""

    size: tuple[int, int]
    """(H, W) of the outputs."""
    nodes: dict[N, dict[int, StageInput]] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[StageInput, ...]:
        """What the stage reads, each once."""
        return tuple(dict.fromkeys(read for outside in self.nodes.values() for read in outside.values()))


@dataclass
class Partition(Generic[N]):
    """A graph's stages in an order in which they can run, as nodes and as data, and what the tail costs and reads."""

    stage_nodes: list[StageNodes[N]]
    stages: list[Stage]
    tail_cost: float
    tail_inputs: frozenset[str]
    row_axes: dict[str, int]
    channels: dict[str, int]


class Partitioner(ABC, Generic[N]):
    """Takes the nodes of a graph in their order; a backend says what they are and names their tensors.

    Only a node's first output can be read by a stage. `row_axes` holds the axis of the rows, 1 or 2, of each tensor of
    maps that depends on the image.
    """

    fused_kinds: frozenset[str] = frozenset()
    """Pointwise operators that move to the stage that alone reads them, as a framework computes both as one kernel."""

    def __init__(self, nodes: Sequence[N], requested: Iterable[str]) -> None:
        """`requested` are the tensors that are asked for."""
        self.nodes, self.requested = nodes, frozenset(requested)
        self.row_axes = {INPUT: 2}
        self.image_dependent = {INPUT}
        self.tail: list[N] = []
        self._stage_of: dict[str, StageNodes[N]] = {}
        self._producer: dict[str, N] = {}
        self._reads = Counter((*(i for node in nodes for i in self.inputs(node)), *self.requested))

    @abstractmethod
    def inputs(self, node: N) -> Sequence[str]:
        """The tensors that a node reads, by position; "" for an input left out."""

    @abstractmethod
    def outputs(self, node: N) -> Sequence[str]:
        """The tensors that a node computes."""

    @abstractmethod
    def kind(self, node: N) -> str:
        """The operator."""

    @abstractmethod
    def assign(self, node: N, dependent: list[str]) -> bool:
        """Call `begin_stage` or `join_stage` and set `row_axes` of the output; False sends the node to the tail.

        `dependent` are its inputs that depend on the image.
        """

    @abstractmethod
    def size(self, tensor: str) -> tuple[int, int]:
        """(H, W) of maps."""

    @abstractmethod
    def channels(self, tensor: str) -> int:
        """Channels of maps."""

    @abstractmethod
    def cost(self, node: N) -> float:
        """Multiplications for one image, and what writing the outputs costs in multiplications."""

    def partition(self) -> Partition[N]:
        """Every node that depends on the image, in a stage or in the tail."""
        for node in self.nodes:
            dependent = [i for i in self.inputs(node) if i in self.image_dependent]
            if dependent:
                self.image_dependent.update(self.outputs(node))
                if not self.assign(node, dependent):
                    self.tail.append(node)
        return self._collected()

    def begin_stage(self, node: N, size: tuple[int, int], read: StageInput) -> None:
        """A new stage of a node that slides a window over one tensor; `size` is (H, W) of its output."""
        self._add(StageNodes(size), node, {read.tensor: read})

    def join_stage(self, node: N, dependent: list[str], size: tuple[int, int]) -> None:
        """Add a pointwise node to the stage that computes its inputs; `size` is (H, W) of them.

        Of several stages it is the one that no other depends on; if there are more of these, they become one first.
        """
        stages = dict.fromkeys(self._stage_of[i] for i in dependent if i in self._stage_of)
        last = [s for s in stages if not any(self._depends_on(other, s) for other in stages if other is not s)]
        stage = last[0] if last else StageNodes(size)
        for other in last[1:]:
            self._merge(stage, other)
        for name in dependent:
            self._move_fused(stage, name)
        outside = {i: StageInput(i, POINTWISE) for i in dependent if self._stage_of.get(i) is not stage}
        self._add(stage, node, outside)

    def _move_fused(self, stage: StageNodes[N], name: str) -> None:
        """Move the node that computes a tensor into the stage that reads it, where the framework fuses the two."""
        home, node = self._stage_of.get(name), self._producer.get(name)
        if home is None or home is stage or node is None:
            return
        if self._reads[name] != 1 or self.kind(node) not in self.fused_kinds:
            return
        outside = home.nodes[node].get(0)
        if outside is not None and outside.windows != POINTWISE:
            return
        del home.nodes[node]
        source = self.inputs(node)[0]
        self._move_fused(stage, source)
        read = {} if self._stage_of.get(source) is stage else {source: StageInput(source, POINTWISE)}
        self._add(stage, node, read)

    def _depends_on(self, stage: StageNodes[N], other: StageNodes[N]) -> bool:
        """Whether a stage reads another one's outputs, directly or through further stages."""
        visited: set[int] = set()
        ahead = [stage]
        while ahead:
            sources = [self._stage_of[i.tensor] for i in ahead.pop().inputs if i.tensor in self._stage_of]
            if any(source is other for source in sources):
                return True
            ahead += [source for source in sources if id(source) not in visited]
            visited.update(map(id, sources))
        return False

    def _merge(self, stage: StageNodes[N], other: StageNodes[N]) -> None:
        stage.nodes |= other.nodes
        self._stage_of = {tensor: stage if home is other else home for tensor, home in self._stage_of.items()}

    def _add(self, stage: StageNodes[N], node: N, outside: dict[str, StageInput]) -> None:
        stage.nodes[node] = {position: outside[i] for position, i in enumerate(self.inputs(node)) if i in outside}
        output = self.outputs(node)[0]
        self._stage_of[output] = stage
        self._producer[output] = node

    def _collected(self) -> Partition[N]:
        """The partition; stages that nothing reads are left out."""
        ordered = self._topological_order()
        tail_reads = {name for node in self.tail for name in self.inputs(node)} | self.requested
        read = tail_reads | {i.tensor for nodes in ordered for i in nodes.inputs}
        outputs = {s: tuple(o for o in (self.outputs(node)[0] for node in s.nodes) if o in read) for s in ordered}
        kept = [nodes for nodes in ordered if outputs[nodes]]
        stages = [Stage(nodes.inputs, outputs[nodes], nodes.size, sum(map(self.cost, nodes.nodes))) for nodes in kept]
        names = {INPUT, *(name for stage in stages for name in stage.outputs)}
        tail_inputs = frozenset(tail_reads & names)
        channels = {name: self.channels(name) for name in names}
        return Partition(kept, stages, sum(map(self.cost, self.tail)), tail_inputs, self.row_axes, channels)

    def _topological_order(self) -> list[StageNodes[N]]:
        """Each stage after those that it reads; within a stage, nodes in the graph's order."""
        ordered: dict[int, StageNodes[N]] = {}

        def visit(stage: StageNodes[N]) -> None:
            if id(stage) not in ordered:
                for read in stage.inputs:
                    if read.tensor in self._stage_of:
                        visit(self._stage_of[read.tensor])
                ordered[id(stage)] = stage

        for stage in self._stage_of.values():
            visit(stage)
        positions = {node: position for position, node in enumerate(self.nodes)}
        for stage in ordered.values():
            stage.nodes = {node: stage.nodes[node] for node in sorted(stage.nodes, key=positions.__getitem__)}
        return list(ordered.values())
