"""Unrolls Loop and Scan if the number of iterations is known: a copy of the body for each iteration."""

from dataclasses import replace

import numpy as np
from crosslens.errors import ModelError
from onnx import GraphProto

from ..ir.graph import Graph, Node
from ..ir.subgraph import add_constants, copy_subgraph
from .loop_condition import loop_conditions

__all__ = ["unroll_known_loops"]

MOST_NODES = 20_000
"""A loop that would unroll to more nodes is left as it is."""
MOST_ITERATIONS = 1_000_000
"""Maximum number of iterations of a Loop that only counts."""


def unroll_known_loops(graph: Graph) -> bool:
    """Unroll, in place and by one level, every Loop and Scan with a known number of iterations.

    Returns:
        Whether there was one.
    """
    for node in graph.nodes:
        _refuse_endless(graph, node)
    known = {node: steps for node in graph.nodes if (steps := _iterations(graph, node)) is not None}
    if not known:
        return False
    body, graph.nodes = graph.nodes, []
    node_names = {node.name for node in body}
    for node in body:
        before, constants = len(graph.nodes), dict(graph.constants)
        if node not in known or not _WRITERS[node.op](graph, node, known[node], node_names):
            graph.constants = constants
            graph.nodes[before:] = [node]
    return graph.nodes != body


def _refuse_endless(graph: Graph, node: Node) -> None:
    """Refuse a Loop whose condition never changes and whose number of iterations is missing or beyond all use.

    Raises:
        ModelError: names the node.
    """
    if node.op != "Loop" or node.domain or (node.has(1) and graph.value(node.inputs[1]) is None):
        return
    steps = graph.value(node.inputs[0]) if node.has(0) else None
    if (node.has(0) and steps is None) or (steps is not None and int(steps.reshape(())) <= MOST_ITERATIONS):
        return
    body = node.attributes["body"].g
    makers = {output: inner for inner in body.node for output in inner.output}
    name = body.output[0].name
    while name in makers and makers[name].op_type == "Identity":
        name = makers[name].input[0]
    fixed = name in makers and makers[name].op_type == "Constant"
    if fixed or name == body.input[1].name or name in {t.name for t in body.initializer}:
        times = "without end" if steps is None else f"{int(steps.reshape(()))} times"
        raise ModelError(
            f"Loop {(node.name or node.outputs[0])[:80]!r} runs {times}; at most {MOST_ITERATIONS:,} are possible: "
            "export the network with fewer"
        )


def _iterations(graph: Graph, node: Node) -> int | None:
    if node.domain or node.op not in _WRITERS:
        return None
    count = len(node.attributes["body"].g.node)
    steps = _most_iterations(graph, node) if node.op == "Loop" else _length(graph, node)
    return None if steps is None or steps * count > MOST_NODES else steps


def _most_iterations(graph: Graph, node: Node) -> int | None:
    """The largest number of iterations; the condition may end the Loop earlier."""
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
    """The body of a Loop or Scan, copied once for each iteration."""

    def __init__(self, graph: Graph, node: Node, node_names: set[str]) -> None:
        self.graph, self.node, self.node_names = graph, node, node_names
        self.proto: GraphProto = node.attributes["body"].g
        self.inputs = [i.name for i in self.proto.input]
        self.outputs = [o.name for o in self.proto.output]
        self.tensors = add_constants(graph, self.proto, self.prefix)

    @property
    def prefix(self) -> str:
        """The prefix of new names."""
        return self.node.name or self.node.outputs[0]

    def step(self, given: list[str], number: int) -> list[str]:
        """Append the nodes of one iteration and return its outputs."""
        names = {**self.tensors, **dict(zip(self.inputs, given, strict=True))}
        self.graph.nodes += copy_subgraph(self.graph, self.proto, names, f"{self.prefix}/{number}", self.node_names)
        return [names.get(o, o) for o in self.outputs]


def _write_loop(graph: Graph, node: Node, most: int, node_names: set[str]) -> bool:
    """Append a Loop's iterations (inputs: number, condition, carried values); False if the condition is not known."""
    body, going = _Body(graph, node, node_names), graph.const(True)
    values, stacked = list(node.inputs[2:]), list[list[str]]()
    for number, state in zip(range(most), loop_conditions(graph, node), strict=False):
        if not state:
            break
        _, *made = body.step([graph.const(number, np.int64), going, *values], number)
        values = made[: len(values)]
        stacked.append(made[len(values) :])
    else:
        state = False if node.has(0) else None
    if state is None:
        return False
    return _append_outputs(graph, node, values, [(rows, 0) for rows in zip(*stacked, strict=True)])


def _write_scan(graph: Graph, node: Node, steps: int, node_names: set[str]) -> bool:
    """Append a Scan's iterations (inputs: carried values, then tensors that are read slice by slice)."""
    body, number = _Body(graph, node, node_names), node.attr("num_scan_inputs")
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
    return _append_outputs(graph, node, values, list(zip(columns, to, strict=True)))


def _append_outputs(graph: Graph, node: Node, values: list[str], stacked: list[tuple[tuple[str, ...], int]]) -> bool:
    """Append the node's outputs, the last carried values and the stacked rows; False if there are no rows to stack."""
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
            graph.nodes.append(replace(joined, origin=node.origin))
    return True


_WRITERS = {"Loop": _write_loop, "Scan": _write_scan}
