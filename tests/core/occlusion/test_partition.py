"""Partitions of small graphs against stages written down by hand, and against running the graph node by node."""

from dataclasses import dataclass

import numpy as np
import pytest
from crosslens.model import INPUT
from crosslens.occlusion.partition import Partitioner
from crosslens.occlusion.receptive_field import POINTWISE, SlidingWindow
from crosslens.occlusion.stages import StageInput

SIZE = (9, 12)
CONV = SlidingWindow(3, 1, 1), SlidingWindow(3, 1, 1)
POOL = SlidingWindow(2, 2, 0), SlidingWindow(2, 2, 0)


@dataclass(frozen=True)
class Op:
    """An operator with one output, which has the operator's name."""

    name: str
    kind: str
    inputs: tuple[str, ...]


class Graph(Partitioner[Op]):
    """Kinds "conv" and "pool" slide a window, "relu", "add" and "bias" are pointwise; "mean" goes to the tail."""

    fused_kinds = frozenset({"bias"})

    def __init__(self, *nodes, requested=()):
        self.sizes = {INPUT: SIZE, "weights": (1, 1)}
        for node in nodes:
            height, width = self.sizes[node.inputs[0]]
            self.sizes[node.name] = (height // 2, width // 2) if node.kind == "pool" else (height, width)
        super().__init__(nodes, requested)

    def inputs(self, node):
        return node.inputs

    def outputs(self, node):
        return (node.name,)

    def kind(self, node):
        return node.kind

    def assign(self, node, dependent):
        if node.kind == "mean" or any(name not in self.row_axes for name in dependent):
            return False
        if node.kind in {"conv", "pool"}:
            windows = CONV if node.kind == "conv" else POOL
            self.begin_stage(node, self.sizes[node.name], StageInput(node.inputs[0], windows))
        else:
            self.join_stage(node, dependent, self.sizes[node.name])
        self.row_axes[node.name] = 2
        return True

    def size(self, tensor):
        return self.sizes[tensor]

    def channels(self, tensor):
        return 3

    def cost(self, node):
        return {"conv": 9.0, "mean": 0.5}.get(node.kind, 1.0)


def described(partition):
    """Of each stage its nodes, what it reads, what it writes, its size and cost."""
    return [
        ([node.name for node in nodes.nodes], stage.inputs, stage.outputs, stage.size, stage.cost)
        for nodes, stage in zip(partition.stage_nodes, partition.stages, strict=True)
    ]


def test_pointwise_operators_join_the_window_before_them_and_what_is_unknown_goes_to_the_tail():
    partition = Graph(
        Op("c1", "conv", (INPUT,)),
        Op("r1", "relu", ("c1",)),
        Op("p", "pool", ("r1",)),
        Op("r2", "relu", ("p",)),
        Op("m", "mean", ("r2",)),
        Op("after", "relu", ("m",)),
    ).partition()
    assert described(partition) == [
        (["c1", "r1"], (StageInput(INPUT, CONV),), ("r1",), (9, 12), 10.0),
        (["p", "r2"], (StageInput("r1", POOL),), ("r2",), (4, 6), 2.0),
    ]
    assert partition.tail_cost == 1.5
    assert partition.tail_inputs == {"r2"}
    assert partition.channels == {INPUT: 3, "r1": 3, "r2": 3}


def test_independent_branches_become_one_stage_where_they_meet():
    partition = Graph(
        Op("a", "conv", (INPUT,)),
        Op("b", "conv", (INPUT,)),
        Op("sum", "add", ("a", "b")),
        requested=["sum"],
    ).partition()
    assert described(partition) == [
        (["a", "b", "sum"], (StageInput(INPUT, CONV),), ("sum",), (9, 12), 19.0),
    ]


def test_a_shortcut_joins_the_later_branch_and_is_read_as_it_is():
    """As in a residual block: the sum reads the first stage's output, so the two cannot be one stage."""
    partition = Graph(
        Op("a", "conv", (INPUT,)),
        Op("b", "conv", ("a",)),
        Op("sum", "add", ("a", "b")),
        requested=["sum"],
    ).partition()
    assert described(partition) == [
        (["a"], (StageInput(INPUT, CONV),), ("a",), (9, 12), 9.0),
        (["b", "sum"], (StageInput("a", CONV), StageInput("a", POINTWISE)), ("sum",), (9, 12), 10.0),
    ]


def test_a_fused_operator_moves_to_the_only_stage_that_reads_it_and_stays_where_others_read_it():
    shortcut = [
        Op("a", "conv", (INPUT,)),
        Op("offset", "bias", ("a", "weights")),
        Op("b", "conv", ("a",)),
        Op("sum", "add", ("offset", "b")),
    ]
    alone = Graph(*shortcut, requested=["sum"]).partition()
    assert [names for names, *_ in described(alone)] == [["a"], ["offset", "b", "sum"]]
    asked = Graph(*shortcut, requested=["sum", "offset"]).partition()
    assert [names for names, *_ in described(asked)] == [["a", "offset"], ["b", "sum"]]


def test_stages_that_nothing_reads_are_left_out():
    partition = Graph(Op("a", "conv", (INPUT,)), Op("unused", "conv", (INPUT,)), requested=["a"]).partition()
    assert [names for names, *_ in described(partition)] == [["a"]]


def value(op, inputs):
    """What an operator computes of maps (H, W)."""
    if op.kind in {"conv", "pool"}:
        kernel, stride, pad = (CONV if op.kind == "conv" else POOL)[0]
        x = np.pad(inputs[0], pad)
        windows = np.lib.stride_tricks.sliding_window_view(x, (kernel, kernel))[::stride, ::stride]
        return (windows * np.arange(kernel**2).reshape(kernel, kernel)).sum((-1, -2))
    return {"relu": lambda a: np.maximum(a, 0), "add": lambda a, b: a + b, "bias": lambda a, b: a + b}[op.kind](*inputs)


KINDS = ["conv", "conv", "relu", "add", "bias"]


@pytest.mark.parametrize("seed", range(25))
def test_stages_of_random_graphs_run_in_their_order_and_give_what_the_graph_gives(seed):
    rng = np.random.default_rng(seed)
    ops, names = [], [INPUT]
    for i in range(12):
        kind = KINDS[rng.integers(len(KINDS))]
        first, second = (names[rng.integers(max(len(names) - 4, 0), len(names))] for _ in range(2))
        inputs = {"add": (first, second), "bias": (first, "weights")}.get(kind, (first,))
        ops.append(Op(f"t{i}", kind, inputs))
        names.append(f"t{i}")
    values = {INPUT: rng.standard_normal(SIZE), "weights": np.array(0.5)}
    for op in ops:
        values[op.name] = value(op, [values[i] for i in op.inputs])
    requested = [names[-1], names[6]]
    partition = Graph(*ops, requested=requested).partition()
    known = {INPUT: values[INPUT]}
    for nodes, stage in zip(partition.stage_nodes, partition.stages, strict=True):
        inside = {"weights": values["weights"], **{i.tensor: known[i.tensor] for i in stage.inputs}}
        for op, outside in nodes.nodes.items():
            assert all(op.inputs[position] == read.tensor for position, read in outside.items())
            inside[op.name] = value(op, [inside[i] for i in op.inputs])
        known.update({name: inside[name] for name in stage.outputs})
    for name in requested:
        np.testing.assert_allclose(known[name], values[name])
