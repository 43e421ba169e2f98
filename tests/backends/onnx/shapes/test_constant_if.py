"""If with a known condition: the branch that is taken is written out; its numbers and gradients are those of the If.

Where the image decides, the gradient is that of the branch which is taken.
"""

import numpy as np
import pytest
from crosslens import INPUT, OUTPUT, wrap
from crosslens.backends.onnx.load.load import graph_of
from crosslens.backends.onnx.shapes.constant_folding import fold
from crosslens.errors import UnsupportedOperators
from onnx import helper, numpy_helper

node = helper.make_node


def branch(name, nodes, result, **constants):
    values = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in constants.items()]
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(result, 1, None)], values)


def network(nodes, *, opset=18, **constants):
    infos = [helper.make_tensor_value_info(n, 1, s) for n, s in (("x", ("n", 3, 8, 8)), ("y", None))]
    graph = helper.make_graph(
        nodes, "g", infos[:1], infos[1:], [numpy_helper.from_array(v, k) for k, v in constants.items()]
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


X = np.random.default_rng(0).random((2, 3, 8, 8), dtype=np.float32)
DY = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)


def result_of(model):
    found = wrap(model, preprocess=None).vjp(X, {OUTPUT: DY}, capture=[OUTPUT])
    return found.activations[OUTPUT], found.gradients[INPUT]


def two_branches(**names):
    """h = 2 x outside; then 3 h + x, else -h: both read the outer h, and call their own tensors and nodes the same."""
    own = names.get("own", "t")
    then = branch(
        "then", [node("Mul", ["h", "c"], [own], name="inner"), node("Add", [own, "x"], ["r"], name="sum")], "r", c=3
    )
    other = branch("else", [node("Neg", ["h"], [own], name="inner")], own)
    return then, other


@pytest.mark.parametrize("taken", [True, False])
def test_a_constant_condition_takes_its_branch(taken):
    then, other = two_branches()
    model = network(
        [node("Mul", ["x", "two"], ["h"]), node("If", ["k"], ["y"], then_branch=then, else_branch=other)],
        k=np.array(taken), two=np.float32(2),
    )  # fmt: skip
    y, dx = result_of(model)
    np.testing.assert_allclose(y, 7 * X if taken else -2 * X, rtol=1e-6)
    np.testing.assert_allclose(dx, 7 * DY if taken else -2 * DY, rtol=1e-6)


def test_a_condition_from_shapes_is_known_as_the_old_torch_exporter_writes_it():
    """squeeze(1) becomes: if the size is 1 squeeze, else leave it."""
    then = branch("then", [node("Squeeze", ["x", "axis"], ["s"])], "s")
    then.initializer.append(numpy_helper.from_array(np.array([1]), "axis"))
    other = branch("else", [node("Identity", ["x"], ["i"])], "i")
    model = network(
        [
            node("Shape", ["x"], ["shape"], start=1, end=2),
            node("Equal", ["shape", "one"], ["k"]),
            node("If", ["k"], ["z"], then_branch=then, else_branch=other),
            node("Relu", ["z"], ["y"]),
        ],
        one=np.array([1]),
    )
    y, dx = result_of(model)
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(dx, DY * (X > 0))


def test_two_ifs_whose_branches_use_the_same_names_stay_apart():
    first, second = two_branches(), two_branches()
    model = network(
        [
            node("Mul", ["x", "two"], ["h"], name="inner"),
            node("If", ["k"], ["a"], then_branch=first[0], else_branch=first[1], name="if_1"),
            node("If", ["k"], ["b"], then_branch=second[0], else_branch=second[1], name="if_2"),
            node("Add", ["a", "b"], ["y"]),
        ],
        k=np.array(True), two=np.float32(2),
    )  # fmt: skip
    y, dx = result_of(model)
    np.testing.assert_allclose(y, 14 * X, rtol=1e-6)
    np.testing.assert_allclose(dx, 14 * DY, rtol=1e-6)
    graph = graph_of(model)
    fold(graph)
    names = [n.name for n in graph.nodes if n.name]
    assert len(names) == len(set(names))
    tensors = [o for n in graph.nodes for o in n.outputs]
    assert len(tensors) == len(set(tensors))
    assert not any(n.op == "If" for n in graph.nodes)


@pytest.mark.parametrize("inner_taken", [True, False])
def test_an_if_within_a_branch_is_written_out_too(inner_taken):
    """The inner branches read `t`, which the outer branch makes and which gets a new name."""
    deep = branch("deep", [node("Mul", ["t", "x"], ["d"])], "d")
    flat = branch("flat", [node("Identity", ["t"], ["f"])], "f")
    inner = node("If", ["q"], ["r"], then_branch=deep, else_branch=flat)
    then = branch("then", [node("Mul", ["x", "c"], ["t"]), inner], "r", c=5)
    other = branch("else", [node("Neg", ["x"], ["u"])], "u")
    model = network(
        [node("If", ["k"], ["y"], then_branch=then, else_branch=other)], k=np.array(True), q=np.array(inner_taken)
    )
    y, dx = result_of(model)
    np.testing.assert_allclose(y, 5 * X * X if inner_taken else 5 * X, rtol=1e-6)
    np.testing.assert_allclose(dx, DY * (10 * X if inner_taken else 5), rtol=1e-6)


def test_several_outputs_of_which_one_is_not_used():
    then = branch("then", [node("Sin", ["x"], ["s"]), node("Exp", ["x"], ["e"]), node("Abs", ["x"], ["a"])], "s")
    other = branch("else", [node("Neg", ["x"], ["s"]), node("Exp", ["x"], ["e"]), node("Abs", ["x"], ["a"])], "s")
    for made in (then, other):
        made.output.extend(helper.make_tensor_value_info(name, 1, None) for name in ("a", "e"))
    choice = node("If", ["k"], ["one", "", "three"], then_branch=then, else_branch=other)
    y, dx = result_of(network([choice, node("Add", ["one", "three"], ["y"])], k=np.array(True)))
    np.testing.assert_allclose(y, np.sin(X) + np.exp(X), rtol=1e-6)
    np.testing.assert_allclose(dx, DY * (np.cos(X) + np.exp(X)), rtol=1e-5, atol=1e-6)


def test_an_if_inside_an_if_that_stays_reads_what_was_renamed():
    """The outer condition is known, the inner one depends on the image: it is kept, runs, and is differentiated."""
    up = branch("up", [node("Add", ["t", "t"], ["d"])], "d")
    same = branch("same", [node("Identity", ["t"], ["e"])], "e")
    inner = [
        node("ReduceMax", ["x"], ["m"], keepdims=0), node("Greater", ["m", "c"], ["q"]),
        node("If", ["q"], ["r"], then_branch=up, else_branch=same, name="inner"),
    ]  # fmt: skip
    then = branch("then", [node("Mul", ["x", "c"], ["t"]), *inner], "r", c=0.5)
    other = branch("else", [node("Neg", ["x"], ["u"])], "u")
    model = network([node("If", ["k"], ["y"], then_branch=then, else_branch=other)], k=np.array(True))
    wrapped = wrap(model, preprocess=None)
    np.testing.assert_allclose(wrapped.forward(X)[OUTPUT], X, rtol=1e-6)
    np.testing.assert_allclose(wrapped.vjp(X, {OUTPUT: DY}).gradients[INPUT], DY, rtol=1e-6)


def choosing(then, other):
    """`then` where the largest pixel is above 0.5, which the image decides."""
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0), node("Greater", ["m", "c"], ["q"]),
        node("If", ["q"], ["y"], then_branch=then, else_branch=other, name="choice"),
    ]  # fmt: skip
    return wrap(network(nodes, c=np.float32(0.5)), preprocess=None)


@pytest.mark.parametrize("bright", [True, False])
def test_where_the_image_decides_the_gradient_goes_through_the_branch_that_is_taken(bright):
    then = branch("then", [node("Mul", ["x", "k"], ["t"]), node("Mul", ["t", "x"], ["r"])], "r", k=3)
    other = branch("else", [node("Sin", ["x"], ["r"])], "r")
    model, x = choosing(then, other), X if bright else X / 3
    pull = model.vjp(x, {OUTPUT: DY}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.activations[OUTPUT], 3 * x * x if bright else np.sin(x), rtol=1e-6)
    want = DY * (6 * x if bright else np.cos(x))
    np.testing.assert_allclose(pull.gradients[INPUT], want, rtol=1e-5)
    with model.linearize(x, [OUTPUT]) as at:
        np.testing.assert_allclose(at.vjp({OUTPUT: DY})[INPUT], want, rtol=1e-5)


def test_an_infinite_slope_in_the_branch_not_taken_stays_there():
    """The square root of a negative number, and its slope, are no numbers."""
    then = branch("then", [node("Sub", ["x", "k"], ["t"]), node("Sqrt", ["t"], ["r"])], "r", k=2)
    other = branch("else", [node("Neg", ["x"], ["r"])], "r")
    dx = choosing(then, other).vjp(X / 3, {OUTPUT: DY}).gradients[INPUT]
    np.testing.assert_array_equal(dx, -DY)


def test_branches_of_different_shapes_are_named_where_the_image_decides():
    then = branch("then", [node("GlobalMaxPool", ["x"], ["r"])], "r")
    other = branch("else", [node("Neg", ["x"], ["r"])], "r")
    said = r"If \(opset 18\) at node 'choice' \(the image decides between branches of different shapes\)"
    with pytest.raises(UnsupportedOperators, match=said):
        choosing(then, other).vjp(X, {OUTPUT: DY})


def test_an_if_of_an_old_opset_is_raised_with_its_branches():
    then = branch("then", [node("Clip", ["x"], ["r"], min=0.2, max=0.6)], "r")
    other = branch("else", [node("Neg", ["x"], ["u"])], "u")
    model = network([node("If", ["k"], ["y"], then_branch=then, else_branch=other)], opset=9, k=np.array(True))
    y, dx = result_of(model)
    np.testing.assert_array_equal(y, X.clip(0.2, 0.6))
    np.testing.assert_array_equal(dx, DY * ((X > 0.2) & (X < 0.6)))
