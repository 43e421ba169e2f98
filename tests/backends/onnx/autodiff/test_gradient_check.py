"""The checker that rule authors get: right rules pass, wrong ones turn it red and say where."""

import numpy as np
import pytest
from crosslens.backends.onnx import check_rule, vjp
from crosslens.backends.onnx.autodiff.registry import _RULES
from crosslens.errors import UnsupportedOperators
from onnx import TensorProto, helper


def model(op, shape=(2, 3), domain="", **attributes):
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y")]
    node = helper.make_node(op, ["x"], ["y"], name="it", domain=domain, **attributes)
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(helper.make_graph([node], "g", infos[:1], infos[1:]), opset_imports=opsets, ir_version=10)


@pytest.mark.parametrize("op", ["Tanh", "Exp", "Softmax", "Neg"])
def test_a_right_rule_passes(op):
    check_rule(model(op))


def test_inputs_can_be_given():
    check_rule(model("Sqrt"), {"x": np.array([[1, 2, 3], [4, 5, 6]], np.float32)})


WRONG = {
    "a sign": lambda g, node, dy: [g.op("Neg", g.op("Mul", dy, node.outputs[0]))],
    "a tenth": lambda g, node, dy: [g.op("Mul", g.op("Mul", dy, node.outputs[0]), g.scalar(1.1, dy))],
    "a factor left out": lambda g, node, dy: [dy],
    "nothing": lambda g, node, dy: [None],
    "no number": lambda g, node, dy: [g.op("Mul", dy, g.scalar(float("nan"), dy))],
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_rule_is_told_with_place_and_numbers(wrong, monkeypatch):
    check_rule(model("Exp"))
    monkeypatch.setitem(_RULES, ("", "Exp"), [])
    vjp("Exp")(WRONG[wrong])
    with pytest.raises(AssertionError, match=r"the gradient of 'x' at \(\d, \d\) is .* by the rule and .* by central"):
        check_rule(model("Exp"))


def test_a_gradient_of_another_shape_is_told(monkeypatch):
    monkeypatch.setitem(_RULES, ("", "Exp"), [])
    vjp("Exp")(lambda g, node, dy: [g.op("ReduceSum", dy, g.ints([0]), keepdims=1)])
    with pytest.raises(AssertionError, match=r"the gradient of 'x' has shape \(1, 3\), the input \(2, 3\)"):
        check_rule(model("Exp"))


def test_a_missing_rule_is_named():
    with pytest.raises(UnsupportedOperators, match=r"com\.microsoft\.Inverse \(opset 1\) at node 'it'"):
        check_rule(model("Inverse", (2, 2), "com.microsoft"))
