"""The default layer belongs to the chosen output: a file with two outputs, the second one with layers of its own."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import LayerError
from crosslens.introspection.default_layer import last_maps
from crosslens.model import INPUT
from onnx import TensorProto, helper, numpy_helper


def two_heads():
    rng = np.random.default_rng(0)
    kernels = {"wt": (4, 3, 3, 3), "w0": (5, 4, 3, 3), "w1": (6, 4, 3, 3)}
    nodes = [
        helper.make_node("Conv", ["x", "wt"], ["t"], name="trunk", pads=[1] * 4),
        helper.make_node("Relu", ["t"], ["r"], name="act"),
        helper.make_node("Conv", ["r", "w0"], ["a"], name="first", pads=[1] * 4),
        helper.make_node("ReduceMean", ["a", "axes"], ["y0"], name="mean0", keepdims=0),
        helper.make_node("Conv", ["r", "w1"], ["b"], name="second", pads=[1] * 4),
        helper.make_node("Tanh", ["b"], ["c"], name="tanh"),
        helper.make_node("ReduceMean", ["c", "axes"], ["y1"], name="mean1", keepdims=0),
    ]
    tensors = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in kernels.items()]
    tensors.append(numpy_helper.from_array(np.array([2, 3]), "axes"))
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "heads", [info("x", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [info("y0", TensorProto.FLOAT, ["n", 5]), info("y1", TensorProto.FLOAT, ["n", 6])], tensors,
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(("output", "layer"), [(0, "first"), (1, "tanh"), ("y0", "first")])
def test_the_last_maps_are_those_before_the_chosen_output(output, layer):
    model = crosslens.wrap(two_heads(), preprocess="unit", output=output)
    assert last_maps(model) == layer
    images = np.random.default_rng(0).random((2, 3, 8, 8), np.float32)
    assert np.ptp(crosslens.method("grad_cam", rectified=False)(model, images, target=2).values) > 0


def test_for_a_layer_inside_they_end_before_it():
    model = crosslens.wrap(two_heads(), preprocess="unit", output=1)
    assert last_maps(model, ["second"]) == "act"
    assert model.upstream(["second"]) == {INPUT, "trunk", "act", "second"}
    with pytest.raises(LayerError, match=r"no layer with maps .* comes before <input>; name a layer"):
        last_maps(model, [INPUT])


def test_maps_that_only_say_where_to_read_are_not_those_of_the_output():
    """A detector reads its boxes at the places of the best scores: no gradient flows from the boxes to the scores."""
    rng = np.random.default_rng(0)
    kernels = {"ws": (1, 3, 3, 3), "wb": (1, 3, 3, 3)}
    nodes = [
        helper.make_node("Conv", ["x", "wb"], ["b"], name="boxes", pads=[1] * 4),
        helper.make_node("Conv", ["x", "ws"], ["s"], name="scores", pads=[1] * 4),
        helper.make_node("Reshape", ["s", "flat"], ["fs"]),
        helper.make_node("Reshape", ["b", "flat"], ["fb"]),
        helper.make_node("TopK", ["fs", "k"], ["best", "places"]),
        helper.make_node("GatherElements", ["fb", "places"], ["y"], axis=1),
    ]
    tensors = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in kernels.items()]
    tensors += [numpy_helper.from_array(np.array(v), n) for n, v in {"flat": [0, -1], "k": [5]}.items()]
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, ["n", 3, 8, 8]), info("y", TensorProto.FLOAT, ["n", 5])]
    graph = helper.make_graph(nodes, "boxes", ends[:1], ends[1:], tensors)
    model = crosslens.wrap(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), preprocess="unit"
    )
    assert last_maps(model) == "boxes"


def test_the_steps_of_a_recurrent_network_are_no_maps():
    """LSTM gives (steps, directions, N, hidden): four axes, but the first one is not the batch, so it is no layer."""
    rng = np.random.default_rng(0)
    kernels = {"w": (4, 3, 3, 3), "wl": (2, 20, 24), "r": (2, 20, 5)}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1] * 4),
        helper.make_node("Transpose", ["c"], ["t"], perm=[3, 0, 1, 2]),
        helper.make_node("Reshape", ["t", "rows"], ["s"]),
        helper.make_node("LSTM", ["s", "wl", "r"], ["h"], name="lstm", hidden_size=5, direction="bidirectional"),
        helper.make_node("Transpose", ["h"], ["u"], name="turned", perm=[0, 2, 1, 3]),
        helper.make_node("ReduceMean", ["u", "axes"], ["y"], keepdims=0),
    ]
    tensors = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in kernels.items()]
    tensors += [numpy_helper.from_array(np.array(v), n) for n, v in {"rows": [7, -1, 24], "axes": [0, 2]}.items()]
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, ["n", 3, 6, 7]), info("y", TensorProto.FLOAT, ["n", 5])]
    graph = helper.make_graph(nodes, "rows", ends[:1], ends[1:], tensors)
    model = crosslens.wrap(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), preprocess="unit"
    )
    assert not {"lstm", "turned"}.intersection(model.layers)
    assert last_maps(model) == "conv"


def test_queries_that_look_at_other_tokens_are_no_maps():
    """As in DETR: five queries read sixteen tokens, the weights (N, 2, 5, 16) come last."""
    rng = np.random.default_rng(0)
    shapes = {"w": (8, 3, 2, 2), "q": (1, 5, 8), "wk": (8, 8), "wv": (8, 8)}
    apart = {"perm": [0, 2, 1, 3]}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", strides=[2, 2]),
        helper.make_node("Reshape", ["c", "flat"], ["f"]),
        helper.make_node("Transpose", ["f"], ["t"], name="tokens", perm=[0, 2, 1]),
        *(helper.make_node("MatMul", ["t", f"w{n}"], [n], name=n) for n in "kv"),
        *(helper.make_node("Reshape", [n, "heads"], [f"{n}4"]) for n in "qkv"),
        *(helper.make_node("Transpose", [f"{n}4"], [f"{n}h"], **apart) for n in "qv"),
        helper.make_node("Transpose", ["k4"], ["kh"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["qh", "kh"], ["scores"], name="scores"),
        helper.make_node("Softmax", ["scores"], ["weights"], name="weights"),
        helper.make_node("MatMul", ["weights", "vh"], ["mixed"], name="mixed"),
        helper.make_node("Transpose", ["mixed"], ["m"], **apart),
        helper.make_node("Reshape", ["m", "joined"], ["j"], name="queries"),
        helper.make_node("ReduceMean", ["j", "axes"], ["y"], keepdims=0),
    ]
    tensors = [numpy_helper.from_array(rng.normal(0, 0.3, s).astype(np.float32), n) for n, s in shapes.items()]
    wholes = {"flat": [0, 8, -1], "heads": [0, 0, 2, 4], "joined": [0, 0, 8], "axes": [1]}
    tensors += [numpy_helper.from_array(np.array(v), n) for n, v in wholes.items()]
    info = helper.make_tensor_value_info
    ends = [info("x", TensorProto.FLOAT, ["n", 3, 8, 8]), info("y", TensorProto.FLOAT, ["n", 8])]
    graph = helper.make_graph(nodes, "queries", ends[:1], ends[1:], tensors)
    model = crosslens.wrap(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), preprocess="unit"
    )
    assert last_maps(model) == "conv"
