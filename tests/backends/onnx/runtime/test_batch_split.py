"""Batches divided among cores: the same numbers as image by image, and whole where rows are no images."""

import crosslens
import numpy as np
import onnx
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.backends.onnx.runtime.batch_split import BatchSplit, split_batch
from crosslens.errors import ModelError
from onnx import TensorProto, helper, numpy_helper

SIDE = 224


def images(count):
    return np.random.default_rng(0).random((count, 3, SIDE, SIDE), np.float32)


def network(*ends, batch="batch"):
    """A convolution, a tanh, an average over the map, and what follows: (op, input, constant or None, output)."""
    kernel = np.random.default_rng(1).normal(size=(4, 3, 16, 16)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["maps"], strides=[16, 16], kernel_shape=[16, 16]),
        helper.make_node("Tanh", ["maps"], ["act"]),
        helper.make_node("GlobalAveragePool", ["act"], ["mean"]),
    ]
    constants = {"kernel": kernel}
    for op, source, constant, output in ends:
        inputs = [source] if constant is None else [source, f"{output}:constant"]
        nodes.append(helper.make_node(op, inputs, [output]))
        if constant is not None:
            constants[f"{output}:constant"] = constant
    graph = helper.make_graph(
        nodes, "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(ends[-1][3], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return onnx.shape_inference.infer_shapes(model)


def plain(batch="batch"):
    return network(("Flatten", "mean", None, "row"), batch=batch)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


@pytest.mark.parametrize(
    ("count", "side", "want"),
    [
        (1, 224, BatchSplit(1, 0)),
        (2, 224, BatchSplit(1, 1, 2)),
        (3, 224, BatchSplit(3, 0)),
        (8, 224, BatchSplit(1, 1, 2)),
        (8, 64, BatchSplit(8, 0)),
        (16, 64, BatchSplit(8, 1, 2)),
        (8, 1024, BatchSplit(1, 1, 2)),
    ],
    ids=str,
)
def test_images_are_divided_where_no_core_would_wait_long(count, side, want):
    assert split_batch(count, side * side) == want


def test_few_images_on_many_cores_go_through_one_session_together(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    assert split_batch(8, SIDE * SIDE) == BatchSplit(8, 0)
    assert split_batch(16, SIDE * SIDE) == BatchSplit(1, 1, 16)


@pytest.mark.parametrize("count", [4, 5])
@pytest.mark.parametrize("batch", ["batch", 2])
def test_a_divided_batch_gives_what_its_images_give_alone(count, batch):
    model, x = crosslens.wrap(plain(batch), preprocess=None), images(count)
    assert model._split(x, [OUTPUT]).parallel == 2
    dy = np.random.default_rng(2).normal(size=(count, 4)).astype(np.float32)
    seen = model.forward(x, ["act", OUTPUT])
    pull = model.vjp(x, {OUTPUT: dy}, wrt=["act", INPUT], capture=["act"])
    with model.linearize(x, [OUTPUT], wrt=[INPUT]) as at:
        later, scores = at.vjp({OUTPUT: dy})[INPUT], at.activations[OUTPUT]
    on = model.forward(x, [OUTPUT], replace={"act": seen["act"][::-1]})[OUTPUT]
    alone = crosslens.wrap(plain(), preprocess=None)
    for row in range(count):
        one, seed = x[row : row + 1], dy[row : row + 1]
        want = alone.vjp(one, {OUTPUT: seed}, wrt=["act", INPUT], capture=["act", OUTPUT])
        for got, expected in (
            (seen["act"], want.activations["act"]), (pull.activations["act"], want.activations["act"]),
            (seen[OUTPUT], want.activations[OUTPUT]), (scores, want.activations[OUTPUT]),
            (on[::-1], want.activations[OUTPUT]), (pull.gradients["act"], want.gradients["act"]),
            (pull.gradients[INPUT], want.gradients[INPUT]), (later, want.gradients[INPUT]),
        ):  # fmt: skip
            np.testing.assert_allclose(got[row : row + 1], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rows", [(4, -1), (2, 2, -1)], ids=str)
def test_images_that_a_reshape_would_mix_are_computed_one_at_a_time(rows):
    """(N, 4) as (4, N): as many entries as images, but no entry is an image's."""
    model = crosslens.wrap(
        network(("Reshape", "mean", np.array(rows), "mixed"), ("Sigmoid", "mixed", None, "row")), preprocess=None
    )
    x = images(4)
    assert model._split(x, [OUTPUT]).images == 1
    logits = crosslens.wrap(plain(), preprocess=None).forward(x)[OUTPUT]
    want = 1 / (1 + np.exp(-logits.reshape(4, *rows[:-1])))
    np.testing.assert_allclose(model.forward(x)[OUTPUT], want, rtol=1e-5)


def test_rows_of_which_each_image_has_two_are_refused():
    with pytest.raises(ModelError, match=r"\(2, 2\) for 1 image, \(4, 2\) for 2 images, .*: no axis is the batch axis"):
        crosslens.wrap(network(("Reshape", "mean", np.array((-1, 2)), "row")), preprocess=None)


def test_a_batch_that_is_looked_at_as_a_whole_stays_whole():
    proto = network(("ReduceMean", "mean", np.array([0]), "average"), ("Sub", "mean", None, "row"))
    proto.graph.node[-1].input.append("average")
    x, model = images(4), crosslens.wrap(proto, preprocess=None)
    assert model._split(x, [OUTPUT]) == BatchSplit(4, 0)
    means = crosslens.wrap(plain(), preprocess=None).forward(x)[OUTPUT]
    found = model._forward(x, (OUTPUT,), {})[OUTPUT]  # `forward` gives each image a batch of its own
    np.testing.assert_allclose(found[..., 0, 0] if found.ndim == 4 else found, means - means.mean(0), atol=1e-6)


def test_a_reshape_that_counts_zeros_as_sizes_but_has_none_is_followed():
    proto = network(("Reshape", "mean", np.array([-1, 4]), "row"))
    proto.graph.node[-1].attribute.append(helper.make_attribute("allowzero", 1))
    assert crosslens.wrap(proto, preprocess=None)._split(images(4), [OUTPUT]).parallel == 2


def test_a_failure_on_one_of_the_cores_is_raised():
    with pytest.raises(ZeroDivisionError):
        BatchSplit(1, 1, 2).map(lambda n: 1 // n, [(1,), (0,), (1,)])
    assert BatchSplit(1, 1, 2).map(lambda n: 2 * n, [(1,), (2,), (3,)]) == [2, 4, 6]
