"""crosslens doctor on ONNX files: what it says before any work."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


@pytest.fixture
def file(tmp_path):
    """A network of a convolution, the given nodes from c to h, and a mean; gives its path."""

    def write(*nodes):
        every = [
            helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1] * 4), *nodes,
            helper.make_node("GlobalAveragePool", ["h"], ["p"], name="pool"),
            helper.make_node("Flatten", ["p"], ["y"], name="flat"),
        ]  # fmt: skip
        values = {"w": np.ones((6, 3, 3, 3), np.float32), "scale": np.float32(0.1)}
        graph = helper.make_graph(
            every, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 6, 6])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 6])],
            [numpy_helper.from_array(np.asarray(v), k) for k, v in values.items()],
        )  # fmt: skip
        opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), tmp_path / "net.onnx")
        return tmp_path / "net.onnx"

    return write


def asked(command, path):
    done = command("doctor", path, "--json")
    return done.exit_code, {check["name"]: check for check in json.loads(done.stdout)}


def test_a_differentiable_network(command, file):
    code, found = asked(command, file(helper.make_node("Relu", ["c"], ["h"], name="relu")))
    assert code == 0
    assert found["differentiable"]["ok"]
    assert found["layers"]["detail"] == "6, 2 of them with maps; the last ones: conv, relu"
    assert found["parameters"]["detail"] == "162"
    assert found["axes"]["detail"] == "batch: any; images of a fixed size 3 x 6 x 6"
    assert found["memory"]["detail"].startswith("about ")
    assert "approximate" not in found


def test_a_network_without_a_gradient_is_examined_all_the_same(command, file):
    inverse = {"domain": "com.microsoft"}
    nodes = [helper.make_node("Inverse", ["c"], ["i"], name="one", **inverse), helper.make_node("Neg", ["i"], ["h"])]
    code, found = asked(command, file(*nodes))
    assert code == 1
    assert found["differentiable"]["ok"] is False
    assert "com.microsoft.Inverse (opset 1) at node 'one'" in found["differentiable"]["detail"]
    assert found["forward"]["ok"]
    assert {"axes", "layers", "parameters", "memory", "default layer"} <= set(found)


def test_a_derivative_that_is_approximate_is_said_to_be(command, file):
    nodes = [
        helper.make_node("QuantizeLinear", ["c", "scale"], ["q"], name="q"),
        helper.make_node("DequantizeLinear", ["q", "scale"], ["h"], name="d"),
    ]
    code, found = asked(command, file(*nodes))
    assert code == 0
    assert found["differentiable"]["ok"]
    assert "QuantizeLinear: straight through" in found["approximate"]["detail"]
