"""A file's weights are read past protobuf, and are what onnx reads."""

import numpy as np
import onnx
import pytest
from crosslens import OUTPUT, wrap
from crosslens.backends.onnx.load.initializers import read_model_and_weights, with_weights_inside
from crosslens.errors import ModelError
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

LARGE = (8, 3, 7, 9)
KINDS = {
    "float": np.float32, "double": np.float64, "half": np.float16, "byte": np.uint8, "int8": np.int8,
    "int": np.int32, "long": np.int64,
}  # fmt: skip


def drawn(kind, seed=0):
    return (np.random.default_rng(seed).standard_normal(LARGE) * 50).astype(kind)


def saved(path, tensors, nodes=(), opset=18, **how):
    """A file with these initialisers, and by default one node that reads none of them."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 8, 8))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("n", "channels", "height", "width"))
    nodes = list(nodes) or [helper.make_node("Relu", ["x"], ["y"])]
    graph = helper.make_graph(nodes, "g", [x], [y], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path, **how)
    return path


def by_onnx(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("how", [{}, {"save_as_external_data": True, "size_threshold": 0}])
def test_weights_of_every_plain_kind_are_what_onnx_reads_and_leave_the_message(tmp_path, how):
    tensors = [numpy_helper.from_array(drawn(kind), name) for name, kind in KINDS.items()]
    tensors.insert(2, numpy_helper.from_array(np.float32([1, 2]), "small"))
    path = saved(tmp_path / "net.onnx", tensors, **how)
    model, weights = read_model_and_weights(path)
    assert set(KINDS) <= set(weights)
    expected = by_onnx(path)
    for name, value in by_message(model, weights).items():
        np.testing.assert_array_equal(value, expected[name])
        assert value.dtype == expected[name].dtype
    assert model.ByteSize() < 1000 < path.stat().st_size + sum(f.stat().st_size for f in tmp_path.iterdir())
    onnx.checker.check_model(model)


def by_message(model, weights):
    """All initialisers, those that stayed in the message too."""
    return {
        tensor.name: weights[tensor.name] if tensor.name in weights else numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
    }


@pytest.mark.parametrize("kind", [TensorProto.BFLOAT16, TensorProto.INT4, TensorProto.BOOL, TensorProto.FLOAT8E5M2])
def test_weights_that_lie_otherwise_in_a_file_stay_in_the_message(tmp_path, kind):
    values = np.random.default_rng(0).integers(0, 2, (40, 90)).astype(np.float32)
    packed = numpy_helper.from_array(values.astype(helper.tensor_dtype_to_np_dtype(kind)), "w")
    assert packed.data_type == kind
    model, weights = read_model_and_weights(saved(tmp_path / "net.onnx", [packed]))
    assert not weights
    np.testing.assert_array_equal(numpy_helper.to_array(model.graph.initializer[0]).astype(np.float32), values)


def test_the_whole_is_the_file(tmp_path):
    tensors = [numpy_helper.from_array(drawn(kind), name) for name, kind in KINDS.items()]
    path = saved(tmp_path / "net.onnx", tensors)
    assert with_weights_inside(*read_model_and_weights(path)) == onnx.load(path)


def test_bytes_that_are_not_as_many_as_the_shape_says_are_no_model(tmp_path):
    short = numpy_helper.from_array(drawn(np.float32), "w")
    short.raw_data = short.raw_data[:-4]
    with pytest.raises(ModelError, match=r"net\.onnx' is not a valid ONNX model: .*w"):
        wrap(saved(tmp_path / "net.onnx", [short]))


@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_file_that_ends_within_its_weights_is_cut_off(tmp_path, share):
    path = saved(tmp_path / "net.onnx", [numpy_helper.from_array(drawn(np.float32), "w")])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelError, match="not an ONNX file, or it is truncated"):
        wrap(path)


def test_a_file_beside_it_that_is_too_short_is_named(tmp_path):
    weights = [numpy_helper.from_array(drawn(np.float32), "w")]
    path = saved(tmp_path / "net.onnx", weights, save_as_external_data=True, location="net.data")
    (tmp_path / "net.data").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"net\.onnx' or its file of external weights cannot be read: .*'w'"):
        wrap(path)


def test_no_file_outside_of_the_folder_is_read(tmp_path):
    (tmp_path / "inner").mkdir()
    weights = numpy_helper.from_array(drawn(np.float32), "w")
    (tmp_path / "net.data").write_bytes(weights.raw_data)
    onnx.external_data_helper.set_external_data(weights, "../net.data")
    weights.ClearField("raw_data")
    path = tmp_path / "inner" / "net.onnx"
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ("n", 3, 8, 8)) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y], [weights])
    path.write_bytes(helper.make_model(graph).SerializeToString())
    with pytest.raises(ModelError, match=r"file of external weights cannot be read: .*net\.data"):
        wrap(path)


def test_an_old_network_with_a_branch_has_its_weights_when_onnx_raises_it(tmp_path):
    kernel = np.random.default_rng(1).standard_normal((40, 3, 3, 3)).astype(np.float32)
    inner = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Relu", ["c"], ["r"])], "branch", [], [inner])
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("If", ["yes"], ["z"], then_branch=branch, else_branch=branch),
        helper.make_node("GlobalAveragePool", ["z"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(kernel, "w"), numpy_helper.from_array(np.array(True), "yes")]
    path = saved(tmp_path / "net.onnx", tensors, nodes, opset=11)
    x = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    (expected,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": x})
    got = wrap(path, preprocess=None).forward(x)[OUTPUT]
    np.testing.assert_allclose(got.reshape(-1), expected.reshape(-1), rtol=1e-4, atol=1e-6)
