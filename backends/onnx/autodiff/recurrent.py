"""RNN, GRU and LSTM in standard operators, one step after the other, to be differentiated; forward alone they stay.

LSTM: Hochreiter and Schmidhuber 1997; GRU: Cho et al. 2014, https://arxiv.org/abs/1406.1078.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..ir.graph import Graph, Node

__all__ = ["recurrent_steps"]

_PLAIN = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
_GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
State = tuple[str | None, str | None]
"""What has come out last, and an LSTM's memory; (N, H) each, None for zeros."""


def recurrent_steps(graph: Graph, node: Node) -> list[Node] | None:
    """The nodes that compute what a recurrent node does; None if it is no such node, or one of a rarer form.

    Rarer are activations of one's own, a clip, peepholes, coupled gates, rows of different lengths, the batch in front.

    Raises:
        DynamicShapeError: the number of steps is not known before the batch is.
    """
    if node.domain or node.op not in _PLAIN or not _is_plain(graph, node):
        return None
    before, graph.nodes = graph.nodes, []
    runs = [_Run(graph, node, number, reverse) for number, reverse in enumerate(_directions(node))]
    ends = [run.steps() for run in runs]
    made = [_joined(graph, [_joined(graph, outputs, 0) for outputs, _ in ends], 1)]
    made += [_joined(graph, [state[p] or "" for _, state in ends], 0) for p in range(len(node.outputs) - 1)]
    for name, output in zip(made, node.outputs, strict=True):
        if output:
            graph.nodes.append(graph.node("Identity", name, outputs=[output]))
    made_nodes, graph.nodes = graph.nodes, before
    return made_nodes


def _directions(node: Node) -> Sequence[bool]:
    """For each direction, whether it reads from the end."""
    return {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[node.attr("direction")]


def _is_plain(graph: Graph, node: Node) -> bool:
    activations = node.attr("activations", _PLAIN[node.op])
    names = [a.decode() if isinstance(a, bytes) else a for a in activations]
    usual = names == [*_PLAIN[node.op]] * (len(names) // len(_PLAIN[node.op]))
    rare = node.attr("clip") or node.attr("layout", 0) or node.attr("input_forget", 0) or node.has(7)
    return usual and not rare and (not node.has(4) or _all_whole(graph, node))


def _all_whole(graph: Graph, node: Node) -> bool:
    lengths = graph.value(node.inputs[4])
    return lengths is not None and bool((lengths == graph.sizes(node.inputs[0], [0])[0]).all())


def _joined(graph: Graph, parts: Sequence[str], axis: int) -> str:
    """Tensors side by side along a new axis."""
    return graph.op("Concat", *(graph.op("Unsqueeze", part, graph.ints([axis])) for part in parts), axis=axis)


@dataclass
class _Run:
    """One direction of a node."""

    graph: Graph
    node: Node
    number: int
    reverse: bool

    def steps(self) -> tuple[list[str], State]:
        """What comes out at each step, in the order of the input, and the last state."""
        g, node = self.graph, self.node
        (count,) = g.sizes(node.inputs[0], [0])
        driven = g.op("MatMul", node.inputs[0], self._turned(1))
        biases = self._halves()
        if biases:
            driven = g.op("Add", driven, biases[0])
        each = g.ops("Split", count, driven, axis=0, num_outputs=count) if count > 1 else (driven,)
        rows = [g.op("Squeeze", row, g.ints([0])) for row in each]
        state: State = (self._own(5), self._own(6) if node.op == "LSTM" else None)
        found = []
        for row in rows[::-1] if self.reverse else rows:
            state = _STEPS[node.op](self, row, state, biases[1] if biases else None)
            found.append(state[0] or "")
        return (found[::-1] if self.reverse else found), state

    def _own(self, position: int) -> str | None:
        """This direction's part of an input."""
        if not self.node.has(position):
            return None
        return self.graph.op("Gather", self.node.inputs[position], self.graph.const(self.number), axis=0)

    def _turned(self, position: int) -> str:
        return self.graph.op("Transpose", self._own(position), perm=[1, 0])

    def _halves(self) -> tuple[str, ...]:
        """The biases beside W and beside R."""
        bias = self._own(3)
        return self.graph.ops("Split", 2, bias, axis=0, num_outputs=2) if bias else ()

    @cached_property
    def matrix(self) -> str:
        """R'."""
        return self._turned(2)

    def back(self, h: str | None, bias: str | None) -> str | None:
        """h R' and its bias; None for nothing at all."""
        product = None if h is None else self.graph.op("MatMul", h, self.matrix)
        if product is None or bias is None:
            return product or bias
        return self.graph.op("Add", product, bias)

    def parts(self, tensor: str, count: int) -> tuple[str, ...]:
        """Gates apart."""
        return self.graph.ops("Split", count, tensor, axis=-1, num_outputs=count)


def _rnn(run: _Run, row: str, state: State, bias: str | None) -> State:
    return run.graph.op("Tanh", _sum(run.graph, row, run.back(state[0], bias))), None


def _sum(g: Graph, a: str, b: str | None) -> str:
    return a if b is None else g.op("Add", a, b)


def _lstm(run: _Run, row: str, state: State, bias: str | None) -> State:
    """Gates in the order input, output, forget, cell."""
    g, (h, memory) = run.graph, state
    gates = run.parts(_sum(g, row, run.back(h, bias)), 4)
    taken, given, kept = (g.op("Sigmoid", gate) for gate in gates[:3])
    new = g.op("Mul", taken, g.op("Tanh", gates[3]))
    memory = new if memory is None else g.op("Add", g.op("Mul", kept, memory), new)
    return g.op("Mul", given, g.op("Tanh", memory)), memory


def _gru(run: _Run, row: str, state: State, bias: str | None) -> State:
    """Gates in the order update, reset, hidden: h' = z h + (1 - z) tanh(...)."""
    g, h = run.graph, state[0]
    if run.node.attr("linear_before_reset", 0):
        reset_last = run.back(h, bias)
        z, r, new = run.parts(row, 3)
        if reset_last is not None:
            bz, br, bn = run.parts(reset_last, 3)
            z, r = (g.op("Sigmoid", g.op("Add", *pair)) for pair in ((z, bz), (r, br)))
            new = g.op("Tanh", g.op("Add", new, g.op("Mul", r, bn)))
        else:
            z, new = g.op("Sigmoid", z), g.op("Tanh", new)
    else:
        z, r, new = run.parts(row if bias is None else g.op("Add", row, bias), 3)
        if h is not None:
            of_z, of_r, of_new = g.ops("Split", 3, run.matrix, axis=1, num_outputs=3)
            z, r = (g.op("Add", a, g.op("MatMul", h, b)) for a, b in ((z, of_z), (r, of_r)))
            new = g.op("Add", new, g.op("MatMul", g.op("Mul", g.op("Sigmoid", r), h), of_new))
        z, new = g.op("Sigmoid", z), g.op("Tanh", new)
    fresh = g.op("Sub", new, g.op("Mul", z, new))
    return (fresh if h is None else g.op("Add", fresh, g.op("Mul", z, h))), None


_STEPS: dict[str, Callable[[_Run, str, State, str | None], State]] = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
