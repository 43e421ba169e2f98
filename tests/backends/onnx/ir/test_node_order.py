"""Large graphs: the order of their nodes for onnxruntime, and the index of producers and readers."""

import numpy as np
import pytest
from crosslens.backends.onnx.ir import session
from crosslens.backends.onnx.ir.graph import FLOAT, Graph, Node, Type
from crosslens.backends.onnx.ir.node_order import depth_first
from crosslens.backends.onnx.ir.session import open_session


@pytest.fixture
def deep() -> Graph:
    """300 layers y = tanh(x) and the gradient of their sum, the derivatives appended as the sweep does."""
    g = Graph([], {}, {"x": Type(FLOAT, ("N", 4))}, [], {"": 18})
    names = ["x"]
    for _ in range(300):
        names.append(g.op("Tanh", names[-1]))
    dy = g.op("Add", names[-1], names[-1])
    for name in reversed(names[1:]):
        dy = g.op("Mul", dy, g.op("Sub", g.const(1, np.float32), g.op("Mul", name, name)))
    g.outputs = [dy]
    return g


def most_waiting(nodes: list[Node]) -> int:
    """The longest list of nodes that could run next, if the first one in the order always does."""
    left = {o: index for index, node in enumerate(nodes) for o in node.outputs}
    could = [max([left[i] for i in node.inputs if i in left], default=-1) for node in nodes]
    return max(sum(could[n] < now for n in range(now, len(nodes))) for now in range(len(nodes)))


def test_what_a_node_reads_comes_before_it(deep):
    known = {"x", *deep.constants}
    for node in depth_first(deep.nodes):
        assert known.issuperset(node.reads)
        known.update(node.outputs)


def test_no_node_is_lost_or_computed_twice(deep):
    assert sorted(map(id, depth_first(deep.nodes))) == sorted(map(id, deep.nodes))


def test_few_nodes_wait_at_any_time_however_deep_the_network(deep):
    assert most_waiting(deep.nodes) > 300
    assert most_waiting(depth_first(deep.nodes)) <= 4


def test_a_large_graph_computes_what_a_small_one_does(deep, monkeypatch):
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    as_small = open_session(deep).run(None, {"x": x})[0]
    monkeypatch.setattr(session, "LARGE_GRAPH", 100)
    np.testing.assert_array_equal(open_session(deep).run(None, {"x": x})[0], as_small)


def test_new_names_are_numbered_and_never_one_in_use(deep):
    deep.taken |= {"a", "a:2"}
    assert [deep.unique_name("a") for _ in range(4)] == ["a:1", "a:3", "a:4", "a:5"]
    assert deep.copy().unique_name("a") == "a:6"


def test_producers_and_readers_follow_appended_and_replaced_nodes(deep):
    first, second = deep.nodes[:2]
    assert deep.producer(first.outputs[0]) is first
    assert deep.readers(first.outputs[0])[0] is second
    assert deep.producer("x") is None
    more = deep.op("Tanh", first.outputs[0])
    assert deep.producer(more) is deep.nodes[-1]
    assert deep.readers(first.outputs[0])[-1] is deep.nodes[-1]
    deep.nodes = deep.nodes[1:]
    assert deep.producer(first.outputs[0]) is None
    deep.nodes[-1:] = [second]
    assert deep.producer(more) is None
