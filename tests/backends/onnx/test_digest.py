"""What was wrapped of an ONNX model is a copy: results and digest stay those of it."""

import crosslens
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

X = np.random.default_rng(0).random((1, 3, 6, 6), dtype=np.float32)


def network(scale):
    constants = {
        "kernel": np.random.default_rng(0).random((4, 3, 3, 3), dtype=np.float32),
        "scale": np.full((1, 4, 1, 1), scale, np.float32),
    }
    nodes = [("Conv", ["x", "kernel"], "c"), ("Mul", ["c", "scale"], "m"), ("GlobalAveragePool", ["m"], "p")]
    graph = helper.make_graph(
        [helper.make_node(op, reads, [name]) for op, reads, name in (*nodes, ("Flatten", ["p"], "y"))],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 6, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def wrapped(proto, **options):
    return crosslens.wrap(proto, **{"preprocess": None, **options})


def test_a_constant_that_is_no_layer_s_weight_is_in_the_digest():
    assert wrapped(network(1.0)).digest == wrapped(network(1.0)).digest != wrapped(network(2.0)).digest


def test_the_preprocessing_is_not():
    """Results record it apart."""
    assert wrapped(network(1.0)).digest == wrapped(network(1.0), preprocess="imagenet").digest


def test_a_proto_that_is_changed_after_wrap_changes_neither_results_nor_digest():
    proto = network(1.0)
    model = wrapped(proto)
    before, digest = model.forward(X)["<output>"], model.digest
    for tensor in proto.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(tensor), tensor.name))
    np.testing.assert_array_equal(model.forward(X)["<output>"], before)
    assert model.digest == digest
    onnx.checker.check_model(proto)
