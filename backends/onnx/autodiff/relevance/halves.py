"""A batch of images and as many references: its two halves, side by side along an axis of size 2 before the batch."""

from dataclasses import dataclass, field
from math import inf

from crosslens.model import INPUT

from ...ir.graph import Graph

__all__ = ["Halves"]


@dataclass
class Halves:
    """Pairs (..., 2, N / 2, ...) of tensors (..., N, ...), and what is computed from both halves.

    A half is (..., 1, N / 2, ...), so that it broadcasts with pairs.
    """

    graph: Graph
    _known: dict[tuple[str, str], str] = field(default_factory=dict)

    def axis(self, x: str) -> int:
        """The axis of the batch: the first, unless its size is known and is no multiple of the batch's."""
        dims = self.graph.dims(x)
        batch = self.graph.dims(INPUT)[0] if INPUT in self.graph.types or INPUT in self.graph.inputs else dims[0]
        if batch in dims:
            return dims.index(batch)
        if isinstance(batch, str):
            return next((axis for axis, size in enumerate(dims) if isinstance(size, str)), 0)
        return next((a for a, n in enumerate(dims) if isinstance(n, int) and n and n % batch == 0), 0)

    def pairs(self, x: str, like: str) -> str:
        """A tensor of the shape of `like` with its halves side by side.

        Raises:
            DynamicShapeError: its shape is not known.
        """
        g, axis, dims = self.graph, self.axis(like), self.graph.dims(like)
        if all(isinstance(n, int) for a, n in enumerate(dims) if a != axis):
            return g.op("Reshape", x, g.ints([*self._sizes(like)[:axis], 2, -1, *self._sizes(like)[axis + 1 :]]))
        parts = [g.ints([2, -1])]
        if axis:
            parts.insert(0, g.op("Shape", x, start=0, end=axis))
        if axis < len(dims) - 1:
            parts.append(g.op("Shape", x, start=axis + 1))
        return g.op("Reshape", x, g.op("Concat", *parts, axis=0) if len(parts) > 1 else parts[0])

    def _sizes(self, like: str) -> list[int]:
        return [n if isinstance(n, int) else -1 for n in self.graph.dims(like)]

    def whole(self, pairs: str, like: str) -> str:
        """Pairs as a tensor of the shape of `like`."""
        made = self.graph.reshape_like(pairs, like)
        self.graph.types[made] = self.graph.types[like]
        return made

    def both(self, x: str, like: str) -> tuple[str, str]:
        """The half of the images, and that of the references."""
        key = (x, "first"), (x, "second")
        if key[0] not in self._known:
            parts = self.graph.ops("Split", 2, self.pairs(x, like), axis=self.axis(like), num_outputs=2)
            self._known |= dict(zip(key, parts, strict=True))
        return self._known[key[0]], self._known[key[1]]

    def joined(self, first: str, second: str, like: str) -> str:
        """Two halves as pairs."""
        return self.graph.op("Concat", first, second, axis=self.axis(like))

    def mean(self, x: str, like: str | None = None) -> str:
        """The mean of the two halves of a tensor, for both; of its shape."""
        like = like or x
        if (x, "mean") not in self._known:
            g = self.graph
            first, second = self.both(x, like)
            half = g.op("Mul", g.op("Add", first, second), g.scalar(0.5, x))
            self._known[x, "mean"] = self.whole(self.joined(half, half, like), like)
        return self._known[x, "mean"]

    def other(self, x: str, like: str | None = None) -> str:
        """The tensor with its halves exchanged."""
        like = like or x
        if (x, "other") not in self._known:
            first, second = self.both(x, like)
            self._known[x, "other"] = self.whole(self.joined(second, first, like), like)
        return self._known[x, "other"]

    def difference(self, x: str, like: str | None = None) -> str:
        """The half of the images minus that of the references."""
        if (x, "difference") not in self._known:
            self._known[x, "difference"] = self.graph.op("Sub", *self.both(x, like or x))
        return self._known[x, "difference"]

    def over_difference(self, pairs: str, x: str) -> str:
        """Pairs divided by the difference of x; 0 where there is none."""
        g, difference = self.graph, self.difference(x)
        zero = g.op("Equal", difference, g.scalar(0, difference))
        return g.op("Div", pairs, g.op("Where", zero, g.scalar(inf, difference), difference))
