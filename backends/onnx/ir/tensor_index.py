"""Which node computes a tensor and which nodes read it, without a walk over all nodes for each question."""

from collections.abc import Sequence
from typing import Generic, Protocol, Self, TypeVar

__all__ = ["TensorIndex"]


class _Reader(Protocol):
    """A node, as far as the index looks at it."""

    @property
    def inputs(self) -> Sequence[str]: ...

    @property
    def outputs(self) -> Sequence[str]: ...


_Node = TypeVar("_Node", bound=_Reader)


class TensorIndex(Generic[_Node]):
    """Producers and readers by tensor. Nodes appended since the last question are added; any other change starts anew.

    A list whose nodes are exchanged in the middle, its length and its last node kept, would not be noticed: replace
    the list instead.
    """

    def __init__(self) -> None:
        self._start([])

    def _start(self, nodes: Sequence[_Node]) -> None:
        self._nodes, self._count = nodes, 0
        self._last: _Node | None = None
        self.producers: dict[str, _Node] = {}
        self.readers: dict[str, list[_Node]] = {}

    def of(self, nodes: Sequence[_Node]) -> Self:
        """The index of these nodes."""
        count = self._count
        if nodes is not self._nodes or len(nodes) < count or (count and nodes[count - 1] is not self._last):
            self._start(nodes)
        for node in nodes[self._count :]:
            for output in filter(None, node.outputs):
                self.producers.setdefault(output, node)
            for name in dict.fromkeys(filter(None, node.inputs)):
                self.readers.setdefault(name, []).append(node)
            self._last = node
        self._count = len(nodes)
        return self
