"""Objectives written into the graph are their array code on NumPy; other values of theirs need no other session."""

import numpy as np
import onnx
import pytest
from array_api_compat import array_namespace
from crosslens import INPUT, OUTPUT, wrap
from crosslens.objective import (
    Objective,
    channel,
    direction,
    each,
    gram,
    gram_matrix,
    layer,
    likeness,
    logit,
    match,
    norm,
    probability,
    pullback,
    total_variation,
)
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(0)
X = RNG.random((2, 3, 8, 6), np.float32)


def normal(*shape):
    return RNG.normal(0, 0.4, shape).astype(np.float32)


def network():
    """Smooth, so that float32 decides nothing: maps of two sizes, logits."""
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "w1", "b1"], ["a"], name="conv1", pads=[1] * 4), node("Softplus", ["a"], ["b"], name="act1"),
        node("Conv", ["b", "w2"], ["c"], name="conv2", strides=[2, 2], pads=[1] * 4),
        node("Tanh", ["c"], ["d"], name="act2"), node("GlobalAveragePool", ["d"], ["p"], name="pool"),
        node("Flatten", ["p"], ["f"], name="flat"), node("Gemm", ["f", "w3"], ["y"], name="fc"),
    ]  # fmt: skip
    kernels = {"w1": normal(4, 3, 3, 3), "b1": normal(4), "w2": normal(5, 4, 3, 3), "w3": normal(5, 7)}
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 6])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 7])],
        [numpy_helper.from_array(value, name) for name, value in kernels.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


@pytest.fixture(scope="module")
def model():
    onnx.checker.check_model(made := network())
    return wrap(made, preprocess={"scale": 2.0, "mean": 0.5}, input_shape=(3, 8, 6))


def layer_named(model, kind):
    return next(name for name, found in model.layers.items() if found.kind == kind)


def style(a, b, seen):
    return gram(a, gram_matrix(seen[a][:1])) + 0.3 * gram(b, gram_matrix(seen[b][:1]))


OBJECTIVES = {
    "sum of squares": lambda a, b, seen: layer(b),
    "gram": style,
    "match": lambda a, b, seen: match(a, seen[a][:1]),
    "match one each": lambda a, b, seen: match(b, seen[b]),
    "style transfer": lambda a, b, seen: 2.0 * match(b, seen[b][:1]) - 30 * style(a, b, seen),
    "norms": lambda a, b, seen: norm(6, centre=0.5) + norm(1, b) - 0.1 * norm(2),
    "total variation": lambda a, b, seen: total_variation() + 0.5 * total_variation(1.5),
    "inversion": lambda a, b, seen: match(b, seen[b][:1]) + 0.2 * norm(6, centre=0.5) + 0.1 * total_variation(),
    "direction": lambda a, b, seen: direction(b, normal(5), power=2.0),
    "likeness": lambda a, b, seen: likeness(b, seen[b][:1]),
    "a class with a prior": lambda a, b, seen: logit(3) - 0.3 * norm(2, centre=0.5),
    "classes with a prior": lambda a, b, seen: logit((3, 1)) - 0.3 * total_variation(),
    "another for each": lambda a, b, seen: each([channel(b, 1), layer(b)]),
}
"""Of two layers and their activations at other images."""


def on_the_host(model, objective, x):
    """Value and gradient by the array code on what the network computed."""
    with model.linearize(x, sorted(objective.layers), wrt=[INPUT]) as at:
        return objective.value(at.activations), at.vjp(objective.cotangents(at.activations))[INPUT]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objective_in_the_graph_is_the_one_on_the_host(model, name, monkeypatch):
    layers = layer_named(model, "Softplus"), layer_named(model, "Tanh")
    objective = OBJECTIVES[name](*layers, model.forward(X[::-1] ** 2, layers))
    value, gradient = on_the_host(model, objective, X)
    monkeypatch.setattr(type(model), "linearize", None)  # so that it cannot be computed there
    pull, got = pullback(model, X, objective, capture=[OUTPUT])
    np.testing.assert_allclose(got, value, rtol=1e-4)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-3, atol=2e-5 * np.abs(gradient).max())
    np.testing.assert_allclose(pull.activations[OUTPUT], model.forward(X)[OUTPUT], rtol=1e-5)


def test_an_objective_that_looks_at_values_is_computed_on_the_host(model):
    objective = probability(2)  # checks first that the network does not end in a softmax
    value, gradient = on_the_host(model, objective, X)
    pull, got = pullback(model, X, objective)
    np.testing.assert_allclose(got, value, rtol=1e-5)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-4, atol=1e-6 * np.abs(gradient).max())


class Own(Objective):
    """A plugin's: the mean of `share(xp, x)` over an image, with the cotangent 2 x where that is above a half."""

    layers = frozenset({INPUT})

    def __init__(self, share):
        self.share = share

    def value(self, activations):
        x = activations[INPUT]
        return self.share(array_namespace(x), x)

    def cotangents(self, activations):
        x = activations[INPUT]
        return {INPUT: 2 * x * array_namespace(x).astype(x > 0.5, x.dtype)}


@pytest.mark.parametrize(
    "share",
    [
        lambda xp, x: xp.sum(xp.where(x > 0.5, x, 0.0), axis=(1, 2, 3)),
        lambda xp, x: xp.sum(xp.astype(xp.astype(3 * x, xp.int64), x.dtype), axis=(1, 2, 3)),
        lambda xp, x: xp.sum(x, axis=(1, 2, 3), dtype=xp.float32),
        lambda xp, x: xp.sum(abs(x), axis=(1, 2, 3)),
        lambda xp, x: xp.sum(x[:, np.array([0, 2]), ...], axis=(1, 2, 3)),
        lambda xp, x: xp.sum(x[:, ::2, :, :] ** 2 >= 0.25, axis=(1, 2, 3)) + x[:, 0, 0, 0],
    ],
    ids=["a number for an array", "whole numbers", "a type", "a builtin", "an array as index", "another comparison"],
)
def test_a_plugins_array_code_is_computed_wherever_it_can_be(model, share):
    objective = Own(share)
    value, gradient = on_the_host(model, objective, X)
    pull, got = pullback(model, X, objective)
    np.testing.assert_allclose(got, value, rtol=1e-5)
    np.testing.assert_allclose(pull.gradients[INPUT], gradient, rtol=1e-5)


def test_a_mistake_in_a_plugins_array_code_is_told_as_it_is(model):
    with pytest.raises(ZeroDivisionError):
        pullback(model, X, Own(lambda xp, x: x[:, 0, 0, 0] * (1 / 0)))


def test_gradients_at_inner_layers_and_replaced_ones_count_too(model):
    first, second = layer_named(model, "Softplus"), layer_named(model, "Tanh")
    objective = layer(second) - 0.5 * norm(2, first)
    maps = model.forward(X, [first])[first] * 1.5
    pull, value = pullback(model, X, objective, wrt=[first], replace={first: maps})
    with model.linearize(X, [first, second], wrt=[first], replace={first: maps}) as at:
        np.testing.assert_allclose(value, objective.value(at.activations), rtol=1e-5)
        wanted = at.vjp(objective.cotangents(at.activations))[first]
    np.testing.assert_allclose(pull.gradients[first], wanted, rtol=1e-4, atol=1e-6)


def test_other_values_need_no_other_session(model):
    second = layer_named(model, "Tanh")
    seen = model.forward(X[:1], [second])[second]
    pullback(model, X, 0.5 * match(second, seen) - 0.2 * total_variation())
    before = len(model._sessions)
    other = 0.7 * match(second, seen + 1) - 0.1 * total_variation()
    _, value = pullback(model, X, other)
    assert len(model._sessions) == before
    np.testing.assert_allclose(value, on_the_host(model, other, X)[0], rtol=1e-4)
