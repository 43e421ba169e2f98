"""Unrolls RNN, GRU and LSTM into standard operators, one time step after the other, when gradients are needed.
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
"""The last output and an LSTM's cell state, (N, H) each; None for zeros."""


def recurrent_steps(graph: Graph, node: Node) -> list[Node] | None:
    """The nodes that replace an RNN, GRU or LSTM; None for another node, or for a form that is not supported.

    Not supported are other activations, clip, peepholes, coupled gates, sequences of different lengths, layout=1.

    Raises:
        DynamicShapeError: the number of time steps depends on the batch.
    """
    if node.domain or node.op not in _PLAIN or not _is_plain(graph, node):
        return None
    before, graph.nodes = graph.nodes, []
    runs = [_Direction(graph, node, number, reverse) for number, reverse in enumerate(_directions(node))]
    ends = [run.steps() for run in runs]
    made = [_stack(graph, [_stack(graph, outputs, 0) for outputs, _ in ends], 1)]
    made += [_stack(graph, [state[p] or "" for _, state in ends], 0) for p in range(len(node.outputs) - 1)]
    for name, output in zip(made, node.outputs, strict=True):
        if output:
            graph.nodes.append(graph.node("Identity", name, outputs=[output]))
    unrolled, graph.nodes = graph.nodes, before
    return unrolled


def _directions(node: Node) -> Sequence[bool]:
    """For each direction, whether it reads the sequence from the end."""
    return {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}[node.attr("direction")]


def _is_plain(graph: Graph, node: Node) -> bool:
    activations = node.attr("activations", _PLAIN[node.op])
    names = [a.decode() if isinstance(a, bytes) else a for a in activations]
    usual = names == [*_PLAIN[node.op]] * (len(names) // len(_PLAIN[node.op]))
    rare = node.attr("clip") or node.attr("layout", 0) or node.attr("input_forget", 0) or node.has(7)
    return usual and not rare and (not node.has(4) or _all_same_length(graph, node))


def _all_same_length(graph: Graph, node: Node) -> bool:
    lengths = graph.value(node.inputs[4])
    return lengths is not None and bool((lengths == graph.sizes(node.inputs[0], [0])[0]).all())


def _stack(graph: Graph, parts: Sequence[str], axis: int) -> str:
    """Tensors stacked along a new axis."""
    return graph.op("Concat", *(graph.op("Unsqueeze", part, graph.ints([axis])) for part in parts), axis=axis)


@dataclass
class _Direction:
    """One direction of a node."""

    graph: Graph
    node: Node
    number: int
    reverse: bool

    def steps(self) -> tuple[list[str], State]:
        """The outputs of all time steps, in the order of the input, and the last state."""
        g, node = self.graph, self.node
        (count,) = g.sizes(node.inputs[0], [0])
        driven = g.op("MatMul", node.inputs[0], self._transpose(1))
        biases = self._biases()
        if biases:
            driven = g.op("Add", driven, biases[0])
        each = g.ops("Split", count, driven, axis=0, num_outputs=count) if count > 1 else (driven,)
        rows = [g.op("Squeeze", row, g.ints([0])) for row in each]
        state: State = (self._direction_slice(5), self._direction_slice(6) if node.op == "LSTM" else None)
        outputs = []
        for row in rows[::-1] if self.reverse else rows:
            state = _STEPS[node.op](self, row, state, biases[1] if biases else None)
            outputs.append(state[0] or "")
        return (outputs[::-1] if self.reverse else outputs), state

    def _direction_slice(self, position: int) -> str | None:
        """This direction's slice of an input; None if the input is not given."""
        if not self.node.has(position):
            return None
        return self.graph.op("Gather", self.node.inputs[position], self.graph.const(self.number), axis=0)

    def _transpose(self, position: int) -> str:
        return self.graph.op("Transpose", self._direction_slice(position), perm=[1, 0])

    def _biases(self) -> tuple[str, ...]:
        """The biases of W and of R; empty without bias."""
        bias = self._direction_slice(3)
        return self.graph.ops("Split", 2, bias, axis=0, num_outputs=2) if bias else ()

    @cached_property
    def matrix(self) -> str:
        """R'."""
        return self._transpose(2)

    def back(self, h: str | None, bias: str | None) -> str | None:
        """h R' + bias, where h or bias may be None (zero); None if both are."""
        product = None if h is None else self.graph.op("MatMul", h, self.matrix)
        if product is None or bias is None:
            return product or bias
        return self.graph.op("Add", product, bias)

    def parts(self, tensor: str, count: int) -> tuple[str, ...]:
        """The tensor split into gates."""
        return self.graph.ops("Split", count, tensor, axis=-1, num_outputs=count)


def _rnn(run: _Direction, row: str, state: State, bias: str | None) -> State:
    return run.graph.op("Tanh", _sum(run.graph, row, run.back(state[0], bias))), None


def _sum(g: Graph, a: str, b: str | None) -> str:
    return a if b is None else g.op("Add", a, b)


def _lstm(run: _Direction, row: str, state: State, bias: str | None) -> State:
    """Gates in the order input, output, forget, cell."""
    g, (h, memory) = run.graph, state
    gates = run.parts(_sum(g, row, run.back(h, bias)), 4)
    input_gate, output_gate, forget_gate = (g.op("Sigmoid", gate) for gate in gates[:3])
    new = g.op("Mul", input_gate, g.op("Tanh", gates[3]))
    memory = new if memory is None else g.op("Add", g.op("Mul", forget_gate, memory), new)
    return g.op("Mul", output_gate, g.op("Tanh", memory)), memory


def _gru(run: _Direction, row: str, state: State, bias: str | None) -> State:
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


_STEPS: dict[str, Callable[[_Direction, str, State, str | None], State]] = {"RNN": _rnn, "GRU": _gru, "LSTM": _lstm}
