"""Networks that pick out of the image what they find there: as many numbers as it has, each time another count."""

import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from onnx import TensorProto, helper, numpy_helper

node = helper.make_node
LIMIT = 0.6


def network(nodes, **constants):
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 3, 8, 8)), ("y", None))]
    tensors = [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def picked(nodes, **constants):
    """`nodes` turn v, the pixels above the limit, into s, a number."""
    return network(
        [
            node("Greater", ["x", "limit"], ["c"]), node("NonZero", ["c"], ["i"]),
            node("Transpose", ["i"], ["places"], perm=[1, 0]), node("GatherND", ["x", "places"], ["v"], name="picked"),
            *nodes, node("Reshape", ["s", "one"], ["y"]),
        ],
        limit=np.float32(LIMIT), one=np.array([1, 1]), **constants,
    )  # fmt: skip


WAYS = {
    "sum of squares": (
        [node("Mul", ["v", "v"], ["w"]), node("ReduceSum", ["w"], ["s"], keepdims=0)], lambda v: (v * v).sum()),
    "mean": ([node("Sin", ["v"], ["w"]), node("ReduceMean", ["w"], ["s"], keepdims=0)], lambda v: v.sin().mean()),
    "softmax": (
        [node("Softmax", ["v"], ["p"]), node("Mul", ["p", "v"], ["w"]), node("ReduceSum", ["w"], ["s"], keepdims=0)],
        lambda v: (v.softmax(0) * v).sum()),
    "largest": ([node("ReduceMax", ["v"], ["s"], keepdims=0)], lambda v: v.max()),
    "largest four": (
        [node("TopK", ["v", "four"], ["t", "where"]), node("ReduceSum", ["t"], ["s"], keepdims=0)],
        lambda v: v.topk(4)[0].sum()),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_pixels_above_a_limit_are_differentiated_whatever_their_number(name):
    nodes, function = WAYS[name]
    model = wrap(picked(nodes, four=np.array([4])), preprocess=None)
    assert "picked" not in model.layers, "its first axis counts pixels, not images"
    for seed, brightness in ((1, 1.0), (2, 0.8), (3, 1.2)):
        x = np.random.default_rng(seed).random((1, 3, 8, 8), np.float32) * np.float32(brightness)
        exact = torch.tensor(x, dtype=torch.float64, requires_grad=True)
        y = function(exact[exact > LIMIT])
        y.backward()
        got = model.vjp(x, {OUTPUT: np.ones((1, 1), np.float32)}, capture=[OUTPUT])
        np.testing.assert_allclose(got.activations[OUTPUT].item(), y.item(), rtol=1e-5)
        np.testing.assert_allclose(got.gradients[INPUT], exact.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_boxes_that_survive_non_maximum_suppression_pass_their_gradient_on():
    corners = np.random.default_rng(3).random((1, 192, 2)).astype(np.float32)
    constants = {
        "apart": np.array([1, 1, 192]), "boxes": np.concatenate([corners, corners + 0.2], 2), "most": np.array([50]),
        "overlap": np.float32([0.3]), "least": np.float32([0.55]), "two": np.array([2]), "three": np.array([3]),
        "axis": np.array([1]), "flat": np.array([-1]), "one": np.array([1, 1]),
    }  # fmt: skip
    nodes = [
        node("Reshape", ["x", "apart"], ["scores"]),
        node("NonMaxSuppression", ["boxes", "scores", "most", "overlap", "least"], ["chosen"]),
        node("Slice", ["chosen", "two", "three", "axis"], ["last"]), node("Squeeze", ["last", "axis"], ["k"]),
        node("Reshape", ["x", "flat"], ["all"]), node("Gather", ["all", "k"], ["g"], name="kept"),
        node("Mul", ["g", "g"], ["w"]), node("ReduceSum", ["w"], ["s"], keepdims=0),
        node("Reshape", ["s", "one"], ["y"]),
    ]  # fmt: skip
    model = wrap(network(nodes, **constants), preprocess=None)
    counts = []
    for seed in (1, 2):
        x = np.random.default_rng(seed).random((1, 3, 8, 8), np.float32) * np.float32(1 - seed / 10)
        pull = model.vjp(x, {OUTPUT: np.ones((1, 1), np.float32)}, capture=[OUTPUT])
        kept = x[pull.gradients[INPUT] != 0]
        np.testing.assert_allclose(pull.gradients[INPUT], np.where(np.isin(x, kept), 2 * x, 0), rtol=1e-5)
        np.testing.assert_allclose(pull.activations[OUTPUT].item(), (kept * kept).sum(), rtol=1e-5)
        counts.append(len(kept))
    assert counts[0] != counts[1]
