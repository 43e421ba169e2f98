"""A gradient that operators stop on its way to the image is refused; zeros are an answer only without influence."""

import crosslens
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError
from onnx import TensorProto, helper, numpy_helper

X = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
CUTS = {
    "none": [("Identity", ["r"], ["z"], {})],
    "places": [
        ("ArgMax", ["r"], ["a"], {"axis": 1, "keepdims": 0}),
        ("OneHot", ["a", "four", "ends"], ["z"], {"axis": 1}),
    ],
    "steps": [("Round", ["r"], ["z"], {})],
    "integers": [("Cast", ["r"], ["i"], {"to": TensorProto.INT32}), ("Cast", ["i"], ["z"], {"to": TensorProto.FLOAT})],
}


def wrapped(cut):
    steps = [("Conv", ["x", "k"], ["c"], {}), ("Relu", ["c"], ["r"], {}), *CUTS[cut]]
    steps += [("ReduceMean", ["z"], ["p"], {"axes": [2, 3], "keepdims": 0}), ("MatMul", ["p", "w"], ["y"], {})]
    steps += [("Softmax", ["y"], ["s"], {}), ("GlobalMaxPool", ["x"], ["beside"], {})]
    nodes = [helper.make_node(op, reads, gives, name=gives[0], **options) for op, reads, gives, options in steps]
    rng = np.random.default_rng(1)
    weights = {"k": 2 * rng.normal(size=(4, 3, 3, 3)), "w": rng.normal(size=(4, 5)), "ends": np.array([0, 1])}
    initial = [numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()]
    initial.append(numpy_helper.from_array(np.array(4), "four"))
    infos = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape])
        for name, shape in [("x", (3, 8, 8)), ("s", (5,)), ("beside", (3, 1, 1))]
    ]
    graph = helper.make_graph(nodes, "net", infos[:1], infos[1:], initial)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return crosslens.wrap(model, preprocess=None, output="s")


@pytest.mark.parametrize("cut", [cut for cut in CUTS if cut != "none"])
def test_a_gradient_that_cannot_reach_the_image_is_refused(cut):
    model = wrapped(cut)
    for name, options, target in [("gradient", {}, 1), ("gradient", {}, "output:1"), ("grad_cam", {"layer": "c"}, 1)]:
        with pytest.raises(ModelError, match=r"no gradient gets from layer '.*' to the image"):
            crosslens.method(name, **options)(model, X, target)


def test_without_influence_gradients_are_zeros():
    model = wrapped("none")
    assert crosslens.method("gradient")(model, X, 1).values.any()
    ones = np.ones((2, 4), np.float32)
    assert not model.vjp(X, {"p": ones}, wrt=["y"]).gradients["y"].any()
    maps = model.forward(X, ["c"])["c"]
    pull = model.vjp(X, {OUTPUT: np.ones((2, 5), np.float32)}, replace={"c": maps})
    assert not pull.gradients[INPUT].any()
