"""The bias of a dense layer that is written as a product and a sum."""

import numpy as np
import pytest
from crosslens import OUTPUT, wrap
from crosslens.errors import LayerError
from crosslens.model import InputSpec
from onnx import helper, numpy_helper

RNG = np.random.default_rng(0)
KERNEL = RNG.normal(size=(6, 4)).astype(np.float32)
BIAS = RNG.normal(size=4).astype(np.float32)


def network(bias, *, first=False, between=()):
    """x W, the operators in between, and a sum with a constant."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"], name="product")]
    for op in between:
        nodes.append(helper.make_node(op, [nodes[-1].output[0]], [f"after {op}"], name=op))
    last = nodes[-1].output[0]
    nodes.append(helper.make_node("Add", ["b", last] if first else [last, "b"], ["y"], name="sum"))
    infos = [helper.make_tensor_value_info(n, 1, ["N", 5, k]) for n, k in (("x", 6), ("y", 4))]
    tensors = [numpy_helper.from_array(value, name) for name, value in (("w", KERNEL), ("b", bias))]
    graph = helper.make_graph(nodes, "dense", infos[:1], infos[1:], tensors)
    file = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return wrap(file, input_shape=InputSpec.latent((5, 6)))


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4)])
def test_a_constant_for_each_channel_behind_a_product_is_its_bias(shape, first):
    model = network(BIAS.reshape(shape), first=first)
    weights = model.weights("sum")
    assert {*weights} == {"bias"}
    np.testing.assert_array_equal(weights["bias"], BIAS)
    assert {*model.weights("product")} == {"kernel"}
    assert not list(model.other_weights())


@pytest.mark.parametrize(
    ("bias", "between"),
    [(BIAS, ["Relu"]), (BIAS[:1], []), (BIAS[0].reshape(()), []), (RNG.random((5, 4), np.float32), [])],
    ids=["behind a rectifier", "one number", "a scalar", "one for each token"],
)
def test_any_other_constant_is_none(bias, between):
    model = network(bias, between=between)
    assert not model.weights("sum")
    assert len(list(model.other_weights())) == 1
    with pytest.raises(LayerError, match="has no weights to redraw"):
        model.randomised(["sum"], 0)


def test_it_can_be_redrawn_alone_and_counts_in_the_digest():
    model, x = network(BIAS.reshape(1, 1, 4)), RNG.normal(size=(2, 5, 6)).astype(np.float32)
    drawn = model.randomised(["sum"], 3)
    new = drawn.weights("sum")["bias"]
    assert np.abs(new - BIAS).min() > 0
    change = drawn.forward(x)[OUTPUT] - model.forward(x)[OUTPUT]
    np.testing.assert_allclose(change, np.broadcast_to(new - BIAS, change.shape), atol=1e-5)
    assert drawn.digest != model.digest
    np.testing.assert_array_equal(drawn.weights("product")["kernel"], KERNEL.T)
