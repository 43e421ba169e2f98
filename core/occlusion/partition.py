"""Cutting a graph into stages for `occlusion.engine`: runs of nodes whose outputs change in the same rectangle.

A node that reads each place of a map where it stands joins the stage that made the map; a window that slides begins a
new one; branches that meet become one stage, unless one of them comes from the other. What is not known to a backend,
and all that reads it, is left for the whole maps. A backend says of each of its nodes which it is.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ..model.layer import INPUT
from .receptive_field import POINTWISE
from .stages import Read, Stage

__all__ = ["Cut", "Part", "Stager"]

N = TypeVar("N", bound=Hashable)
_AS_IT_STANDS = Read("", POINTWISE)


@dataclass(eq=False)
class Part(Generic[N]):
    """A stage as nodes, each with what crops supply to it, by position among its inputs."""

    size: tuple[int, int]
    nodes: dict[N, dict[int, Read]] = field(default_factory=dict)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Each once."""
        return tuple(dict.fromkeys(read for given in self.nodes.values() for read in given.values()))


@dataclass
class Cut(Generic[N]):
    """The stages in an order in which they can run, and what is left."""

    parts: list[Part[N]]
    stages: list[Stage]
    rest: float
    leaves: frozenset[str]
    axes: dict[str, int]
    channels: dict[str, int]


class Stager(ABC, Generic[N]):
    """Takes the nodes of a graph in their order; `wanted` are tensors that are asked for.

    Each node has one tensor that counts, its output, by name; `axes` holds the axis of the rows, 1 or 2, of each tensor
    of maps that changes where the image does.
    """

    pulls: frozenset[str] = frozenset()
    """Kinds of nodes that run in the stage that alone reads them, where a framework computes both as one."""

    def __init__(self, nodes: Sequence[N], wanted: Iterable[str]) -> None:
        self.nodes, self.wanted = nodes, frozenset(wanted)
        self.axes = {INPUT: 2}
        self.moving = {INPUT}
        self.late: list[N] = []
        self._home: dict[str, Part[N]] = {}
        self._makers: dict[str, N] = {}
        self._uses = Counter((*(i for node in nodes for i in self.inputs(node)), *self.wanted))

    @abstractmethod
    def inputs(self, node: N) -> Sequence[str]:
        """What a node reads, by position; "" where nothing."""

    @abstractmethod
    def outputs(self, node: N) -> Sequence[str]:
        """What it makes; the first one counts."""

    @abstractmethod
    def kind(self, node: N) -> str:
        """The operator."""

    @abstractmethod
    def put(self, node: N, moving: list[str]) -> bool:
        """Call `slide` or `join` and set `axes` of the output, or return False; `moving` are its inputs that change."""

    @abstractmethod
    def size(self, tensor: str) -> tuple[int, int]:
        """(H, W)"""

    @abstractmethod
    def channels(self, tensor: str) -> int:
        """Of maps."""

    @abstractmethod
    def cost(self, node: N) -> float:
        """Multiplications for one image, and what making the outputs costs beside them."""

    def cut(self) -> Cut[N]:
        """All nodes in stages, or aside."""
        for node in self.nodes:
            moving = [i for i in self.inputs(node) if i in self.moving]
            if moving:
                self.moving.update(self.outputs(node))
                if not self.put(node, moving):
                    self.late.append(node)
        return self._finished()

    def slide(self, node: N, size: tuple[int, int], read: Read) -> None:
        """Begin a stage with a window over one tensor."""
        self._add(Part(size), node, {read.tensor: read})

    def join(self, node: N, moving: list[str], size: tuple[int, int]) -> None:
        """To the stage of one of its inputs that none of the others waits for; independent ones become one first."""
        homes = dict.fromkeys(self._home[i] for i in moving if i in self._home)
        last = [h for h in homes if not any(self._waits(other, h) for other in homes if other is not h)]
        part = last[0] if last else Part(size)
        for other in last[1:]:
            self._merge(part, other)
        for name in moving:
            self._pull(part, name)
        self._add(part, node, {i: Read(i, POINTWISE) for i in moving if self._home.get(i) is not part})

    def _pull(self, part: Part[N], name: str) -> None:
        home, node = self._home.get(name), self._makers.get(name)
        if home is None or home is part or node is None or self._uses[name] != 1 or self.kind(node) not in self.pulls:
            return
        if home.nodes[node].get(0, _AS_IT_STANDS).sliding != POINTWISE:
            return
        del home.nodes[node]
        source = self.inputs(node)[0]
        self._pull(part, source)
        self._add(part, node, {} if self._home.get(source) is part else {source: Read(source, POINTWISE)})

    def _waits(self, part: Part[N], for_part: Part[N]) -> bool:
        """Whether a stage needs another one, directly or not."""
        seen: set[int] = set()
        ahead = [part]
        while ahead:
            before = [self._home[r.tensor] for r in ahead.pop().reads if r.tensor in self._home]
            if any(b is for_part for b in before):
                return True
            ahead += [b for b in before if id(b) not in seen]
            seen.update(map(id, before))
        return False

    def _merge(self, part: Part[N], other: Part[N]) -> None:
        part.nodes |= other.nodes
        self._home = {tensor: part if home is other else home for tensor, home in self._home.items()}

    def _add(self, part: Part[N], node: N, outside: dict[str, Read]) -> None:
        part.nodes[node] = {position: outside[i] for position, i in enumerate(self.inputs(node)) if i in outside}
        output = self.outputs(node)[0]
        self._home[output] = part
        self._makers[output] = node

    def _finished(self) -> Cut[N]:
        parts = self._ordered()
        late = {name for node in self.late for name in self.inputs(node)}
        read = late | self.wanted | {r.tensor for part in parts for r in part.reads}
        made = {part: tuple(o for o in (self.outputs(node)[0] for node in part.nodes) if o in read) for part in parts}
        parts = [part for part in parts if made[part]]
        stages = [Stage(part.reads, made[part], part.size, sum(map(self.cost, part.nodes))) for part in parts]
        names = {INPUT, *(name for stage in stages for name in stage.writes)}
        leaves = frozenset((late | self.wanted) & names)
        rest = sum(map(self.cost, self.late))
        return Cut(parts, stages, rest, leaves, self.axes, {name: self.channels(name) for name in names})

    def _ordered(self) -> list[Part[N]]:
        """Each after those that it reads."""
        found: dict[int, Part[N]] = {}

        def visit(part: Part[N]) -> None:
            if id(part) not in found:
                for read in part.reads:
                    if read.tensor in self._home:
                        visit(self._home[read.tensor])
                found[id(part)] = part

        for part in self._home.values():
            visit(part)
        place = {node: position for position, node in enumerate(self.nodes)}
        for part in found.values():
            part.nodes = {node: part.nodes[node] for node in sorted(part.nodes, key=place.__getitem__)}
        return list(found.values())
