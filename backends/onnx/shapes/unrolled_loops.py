"""Loop and Scan that run a number of times that is known: their steps are written into the graph one after another."""

from dataclasses import replace

import numpy as np
from onnx import GraphProto, numpy_helper

from ..ir.graph import Graph, Node
from ..ir.subgraph import copied
from .evaluate import run_constants

__all__ = ["unroll_known_loops"]

MOST_NODES = 20_000
"""A loop that would come to more is left as it is."""


def unroll_known_loops(graph: Graph) -> bool:
    """Replace, in place and by one level, every Loop and Scan of which it is known how often it runs.

    Returns:
        Whether there was one.
    """
    known = {node: steps for node in graph.nodes if (steps := _steps(graph, node)) is not None}
    if not known:
        return False
    body, graph.nodes = graph.nodes, []
    called = {node.name for node in body}
    for node in body:
        before, constants = len(graph.nodes), dict(graph.constants)
        if node not in known or not _WRITERS[node.op](graph, node, known[node], called):
            graph.constants = constants
            graph.nodes[before:] = [node]
    return graph.nodes != body


def _steps(graph: Graph, node: Node) -> int | None:
    if node.domain or node.op not in _WRITERS:
        return None
    count = len(node.attributes["body"].g.node)
    steps = _trips(graph, node) if node.op == "Loop" else _length(graph, node)
    return None if steps is None or steps * count > MOST_NODES else steps


def _trips(graph: Graph, node: Node) -> int | None:
    """At most so many: the condition may end a Loop earlier. Without a number the nodes that fit are the limit."""
    if not node.has(0):
        return MOST_NODES // max(len(node.attributes["body"].g.node), 1)
    value = graph.value(node.inputs[0])
    return None if value is None else min(int(value.reshape(())), MOST_NODES + 1)


def _length(graph: Graph, node: Node) -> int | None:
    first = len(node.inputs) - node.attr("num_scan_inputs")
    known = graph.types.get(node.inputs[first])
    size = known.dims[node.attr("scan_input_axes", (0,))[0]] if known and known.dims else None
    return size if isinstance(size, int) else None


class _Body:
    """A subgraph, copied once for each step."""

    def __init__(self, graph: Graph, node: Node, called: set[str]) -> None:
        self.graph, self.node, self.called = graph, node, called
        self.proto: GraphProto = node.attributes["body"].g
        self.inputs = [i.name for i in self.proto.input]
        self.outputs = [o.name for o in self.proto.output]
        tensors = {t.name: graph.unique(f"{self.around}:{t.name}") for t in self.proto.initializer}
        graph.constants |= {tensors[t.name]: numpy_helper.to_array(t) for t in self.proto.initializer}
        self.tensors = tensors

    @property
    def around(self) -> str:
        """What names made for it begin with."""
        return self.node.name or self.node.outputs[0]

    def step(self, given: list[str], number: int) -> list[str]:
        """Append one step's nodes; its outputs come back."""
        names = {**self.tensors, **dict(zip(self.inputs, given, strict=True))}
        self.graph.nodes += copied(self.graph, self.proto, names, f"{self.around}/{number}", self.called)
        return [names.get(o, o) for o in self.outputs]


def _write_loop(graph: Graph, node: Node, most: int, called: set[str]) -> bool:
    """Inputs: a number of steps, a condition, values that go round; whether the condition was always known."""
    body, going = _Body(graph, node, called), node.inputs[1] if node.has(1) else graph.const(True)
    values, stacked = list(node.inputs[2:]), list[list[str]]()
    for number in range(most):
        state = _known(graph, going)
        if not state:
            break
        going, *made = body.step([graph.const(number, np.int64), going, *values], number)
        values = made[: len(values)]
        stacked.append(made[len(values) :])
    else:
        state = False if node.has(0) else None
    if state is None:
        return False
    return _give(graph, node, values, [(rows, 0) for rows in zip(*stacked, strict=True)])


def _known(graph: Graph, name: str) -> bool | None:
    """A condition's value, computed where it hangs on constants only."""
    value = graph.value(name)
    if value is None:
        path = _path(graph, name)
        value = None if path is None else run_constants(graph, path, [name])[name]
    return None if value is None else bool(value.all())


def _path(graph: Graph, name: str) -> list[Node] | None:
    """The nodes that compute a tensor from constants; None if something else is needed."""
    needed, path = {name}, []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs):
            path.append(node)
            needed = needed.difference(node.outputs).union(node.reads)
    return path[::-1] if needed <= graph.constants.keys() else None


def _write_scan(graph: Graph, node: Node, steps: int, called: set[str]) -> bool:
    """Inputs: values that go round, then tensors that are read slice by slice."""
    body, number = _Body(graph, node, called), node.attr("num_scan_inputs")
    values, read = list(node.inputs[: len(node.inputs) - number]), node.inputs[len(node.inputs) - number :]
    made_count = len(node.outputs) - len(values)
    axes, back = node.attr("scan_input_axes", (0,) * number), node.attr("scan_input_directions", (0,) * number)
    stacked: list[list[str]] = []
    for step in range(steps):
        places = [steps - 1 - step if reverse else step for reverse in back]
        rows = [graph.op("Gather", x, graph.const(p), axis=a) for x, p, a in zip(read, places, axes, strict=True)]
        made = body.step([*values, *rows], step)
        values = made[: len(values)]
        stacked.append(made[len(values) :])
    to, turned = (
        node.attr("scan_output_axes", (0,) * made_count),
        node.attr("scan_output_directions", (0,) * made_count),
    )
    columns = [
        rows[::-1] if reverse else rows for rows, reverse in zip(zip(*stacked, strict=True), turned, strict=True)
    ]
    return _give(graph, node, values, list(zip(columns, to, strict=True)))


def _give(graph: Graph, node: Node, values: list[str], stacked: list[tuple[tuple[str, ...], int]]) -> bool:
    """The node's own outputs: what went round last, and what each step gave, side by side; not if there was no step."""
    outputs = iter(node.outputs)
    for name, output in zip(values, outputs, strict=False):
        if output:
            graph.nodes.append(graph.node("Identity", name, outputs=[output]))
    rest = node.outputs[len(values) :]
    if rest and not stacked:
        return False
    for output, (rows, axis) in zip(rest, stacked, strict=True):
        if output:
            parts = [graph.op("Unsqueeze", row, graph.ints([axis])) for row in rows]
            joined = graph.node("Concat", *parts, outputs=[output], axis=axis)
            graph.nodes.append(replace(joined, scopes=node.scopes))
    return True


_WRITERS = {"Loop": _write_loop, "Scan": _write_scan}
