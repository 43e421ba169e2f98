"""Sequences of a known number of tensors, sparse constants, functions whose bodies have branches: as onnxruntime."""

import numpy as np
import onnxruntime as ort
import pytest
from crosslens import INPUT, OUTPUT, InputSpec, wrap
from crosslens.backends.onnx import check_rule
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
X = np.random.default_rng(0).random((2, 6, 4, 4), np.float32)


def network(nodes, *, sparse=(), opset=20, **constants):
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", ["n", 6, 4, 4]), ("y", None))]
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors, sparse_initializer=list(sparse))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def check(model, dx):
    """Forward as onnxruntime runs the file, backward as written by hand."""
    made = wrap(model, input_shape=InputSpec.latent((6, 4, 4)))
    y = made.forward(X)[OUTPUT]
    options = ort.SessionOptions()
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(y, session.run(None, {"x": X})[0], rtol=1e-5, atol=1e-6)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    np.testing.assert_allclose(made.vjp(X, {OUTPUT: dy}).gradients[INPUT], dx(dy), rtol=1e-4, atol=1e-5)


def placed(*parts):
    """Zeros like x but for the channels given, (first, values)."""
    made = np.zeros_like(X)
    for first, values in parts:
        made[:, first : first + values.shape[1]] += values
    return made


def test_rows_taken_out_one_by_one():
    """torch writes unbind so."""
    nodes = [
        node("SplitToSequence", ["x"], ["s"], axis=1, keepdims=0),
        node("SequenceAt", ["s", "one"], ["a"]),
        node("SequenceAt", ["s", "last"], ["b"]),
        node("Mul", ["a", "b"], ["y"]),
    ]
    model = network(nodes, one=np.array(1), last=np.array(-1))
    check(model, lambda dy: placed((1, (dy * X[:, 5])[:, None]), (5, (dy * X[:, 1])[:, None])))


@pytest.mark.parametrize(
    "sizes", [np.array([4, 2]), np.array(4)], ids=["given sizes", "pieces of four, and what is left"]
)
def test_pieces_put_together_in_another_order(sizes):
    nodes = [
        node("SplitToSequence", ["x", "sizes"], ["s"], axis=1),
        node("SequenceAt", ["s", "zero"], ["a"]),
        node("SequenceErase", ["s", "zero"], ["rest"]),
        node("SequenceInsert", ["rest", "a"], ["turned"]),
        node("ConcatFromSequence", ["turned"], ["y"], axis=1),
    ]
    check(network(nodes, sizes=sizes, zero=np.array(0)), lambda dy: placed((4, dy[:, :2]), (0, dy[:, 2:])))


def test_a_list_that_grows_and_is_stacked():
    nodes = [
        node("SequenceEmpty", [], ["none"]),
        node("Sin", ["x"], ["a"]),
        node("SequenceInsert", ["none", "a"], ["one"]),
        node("SequenceInsert", ["one", "x", "zero"], ["two"]),
        node("SequenceConstruct", ["x", "a"], ["others"]),
        node("SequenceLength", ["others"], ["count"]),
        node("Cast", ["count"], ["factor"], to=TensorProto.FLOAT),
        node("ConcatFromSequence", ["two"], ["stacked"], axis=1, new_axis=1),
        node("Mul", ["stacked", "factor"], ["y"]),
    ]
    check(network(nodes, zero=np.array(0)), lambda dy: 2 * (dy[:, 0] + dy[:, 1] * np.cos(X)))


SPARSE = np.zeros((6, 3), np.float32)
SPARSE[0, 1], SPARSE[4, 2], SPARSE[5, 0] = 2, -1, 0.5
PLACES = {"counted through": np.flatnonzero(SPARSE), "by axis": np.argwhere(SPARSE)}


@pytest.mark.parametrize("places", PLACES)
@pytest.mark.parametrize("as_node", [True, False], ids=["Constant", "initialiser"])
def test_a_sparse_constant(places, as_node):
    values = numpy_helper.from_array(SPARSE[SPARSE != 0], "w")
    tensor = helper.make_sparse_tensor(values, numpy_helper.from_array(PLACES[places], "w_places"), [6, 3])
    nodes = [node("ReduceMean", ["x", "axes"], ["m"], keepdims=0), node("MatMul", ["m", "w"], ["y"])]
    nodes = [node("Constant", [], ["w"], sparse_value=tensor), *nodes] if as_node else nodes
    model = network(nodes, sparse=() if as_node else [tensor], axes=np.array([2, 3]))
    check(model, lambda dy: np.broadcast_to((dy @ SPARSE.T)[..., None, None] / 16, X.shape))


def test_an_operator_whose_body_has_branches_that_read_from_around_them():
    """AffineGrid, of rotations that come from the image, and a GridSample: differences say what is right."""
    matrices = np.random.default_rng(3).standard_normal((6, 6)).astype(np.float32) / 2
    nodes = [
        node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        node("MatMul", ["m", "matrices"], ["flat"]),
        node("Reshape", ["flat", "shape"], ["turned"]),
        node("AffineGrid", ["turned", "size"], ["grid"]),
        node("GridSample", ["x", "grid"], ["y"], mode="linear"),
    ]
    model = network(nodes, axes=np.array([2, 3]), matrices=matrices, shape=np.array([-1, 2, 3]),
                    size=np.array([2, 6, 3, 3]))  # fmt: skip
    check_rule(model, {"x": X}, step=1e-3, tolerance=2e-2)
