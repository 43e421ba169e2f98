"""in_topological_order: nodes stand behind those that they read."""

from itertools import pairwise

from crosslens.backends.onnx.load.topological_order import in_topological_order
from onnx import ModelProto, helper


def model(*operators):
    """Operators by (inputs, output)."""
    made = ModelProto()
    made.graph.node.extend(helper.make_node("Sum", [*inputs], [output]) for inputs, output in operators)
    return made


def order(given):
    return [node.output[0] for node in in_topological_order(given).graph.node]


def test_a_sorted_model_is_returned_itself():
    given = model(("x", "a"), ("a", "b"))
    assert in_topological_order(given) is given


def test_nodes_are_sorted_in_a_copy():
    given = model(("bc", "y"), ("a", "b"), ("x", "a"), ("a", "c"))
    assert order(given) == ["a", "b", "c", "y"]
    assert [node.output[0] for node in given.graph.node] == ["y", "b", "a", "c"], "the model itself is not changed"


def test_a_chain_deeper_than_pythons_stack_is_sorted():
    names = [f"t{i}" for i in range(5000)]
    given = ModelProto()
    given.graph.node.extend(helper.make_node("Neg", [a], [b]) for a, b in list(pairwise(names))[::-1])
    assert order(given) == names[1:]
