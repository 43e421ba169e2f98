"""Noise drawn inside a graph: one draw for the forward pass and its gradient, and a word about it."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import ModelError
from crosslens.model import INPUT, OUTPUT
from onnx import TensorProto, helper, numpy_helper

X = np.random.default_rng(0).random((2, 3, 8, 8), np.float32).clip(0.1)
NOISE = {
    "RandomNormalLike": [helper.make_node("RandomNormalLike", ["x"], ["r"])],
    "RandomUniformLike": [helper.make_node("RandomUniformLike", ["x"], ["r"], low=0.5, high=1.5)],
    "RandomNormal": [helper.make_node("RandomNormal", [], ["r"], shape=[1, 3, 8, 8])],
    "Bernoulli": [helper.make_node("Bernoulli", ["x"], ["r"])],
    "Multinomial": [
        helper.make_node("Reshape", ["x", "rows"], ["f"]),
        helper.make_node("Multinomial", ["f"], ["i"], sample_size=192),
        helper.make_node("Cast", ["i"], ["n"], to=1),
        helper.make_node("Reshape", ["n", "maps"], ["r"]),
    ],
}


def network(nodes, inputs=(), **constants):
    nodes = [*nodes, helper.make_node("Mul", ["x", "r"], ["y"], name="product")]
    constants |= {"rows": np.array([0, 192]), "maps": np.array([0, 3, 8, 8])}
    info = helper.make_tensor_value_info
    ends = [info(name, TensorProto.FLOAT, ["n", 3, 8, 8]) for name in "xy"]
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "noise", [ends[0], *inputs], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


@pytest.mark.parametrize("name", NOISE)
def test_a_pass_and_its_gradient_share_their_draw(name):
    """y = x r with r drawn: dy/dx = r = y / x, whatever r was."""
    model = crosslens.wrap(network(NOISE[name]), preprocess=None)
    pull = model.vjp(X, {OUTPUT: np.ones_like(X)}, capture=[OUTPUT])
    np.testing.assert_allclose(pull.gradients[INPUT] * X, pull.activations[OUTPUT], rtol=1e-5, atol=1e-6)
    with model.linearize(X, [OUTPUT]) as at:
        for _ in range(2):
            gradient = at.vjp({OUTPUT: np.ones_like(X)})[INPUT]
            np.testing.assert_allclose(gradient * X, at.activations[OUTPUT], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NOISE)
def test_results_of_a_random_network_say_so_and_name_the_layer(name):
    model = crosslens.wrap(network(NOISE[name]), preprocess=None)
    result = crosslens.method("gradient")(model, X, target=f"channel:{OUTPUT}:1")
    assert any("this network is random" in note for note in result.notes), result.notes


def test_dropout_that_an_input_turns_on_is_refused():
    """`training_mode` may be an input of the file; held as true it draws what it drops."""
    nodes = [helper.make_node("Dropout", ["x", "ratio", "training"], ["r"], name="drop")]
    flag = helper.make_tensor_value_info("training", TensorProto.BOOL, [])
    proto = network(nodes, [flag], ratio=np.float32(0.5))
    with pytest.raises(ModelError, match="exported in training mode: Dropout 'drop' is random"):
        crosslens.wrap(proto, preprocess=None, inputs={"training": True})
    model = crosslens.wrap(proto, preprocess=None, inputs={"training": False})
    np.testing.assert_allclose(model.forward(X)[OUTPUT], X * X, rtol=1e-6)
