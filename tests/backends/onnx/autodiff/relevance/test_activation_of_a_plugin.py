"""A function that is an activation function in some networks only (a sine) has f(x) / x, once its rule says so."""

import crosslens
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.backends.onnx import vjp
from crosslens.backends.onnx.autodiff import registry
from onnx import TensorProto, helper

X = np.random.default_rng(0).normal(0, 1, (4, 1, 2, 5)).astype(np.float32)


@pytest.fixture(params=[True, False], ids=["activation", "unknown"])
def is_activation(request, monkeypatch):
    registry._discover()
    monkeypatch.setattr(registry, "_RULES", {key: list(rules) for key, rules in registry._RULES.items()})

    @vjp("Sin", since=8, activation=request.param)
    def sine(g, node, dy):
        return [g.op("Mul", dy, g.op("Cos", node.inputs[0]))]

    return request.param


def test_ratio(is_activation):
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, 2, 5]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Sin", ["x"], ["y"])], "net", infos[:1], infos[1:])
    net = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model = crosslens.wrap(net, preprocess=None).modified(slope="ratio")
    got = model.vjp(X, {OUTPUT: np.ones_like(X)}).gradients[INPUT]
    np.testing.assert_allclose(got, np.sin(X) / X if is_activation else np.cos(X), rtol=1e-5, atol=1e-6)
