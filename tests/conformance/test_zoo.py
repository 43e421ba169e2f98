"""The builders of tests/zoo make one network: each framework alone, without crosslens, gives the oracle's output."""

import numpy as np
import pytest

from .plans import PLANS, SHAPE, forward, gradient, images, plan
from .zoo import builder


@pytest.fixture(params=PLANS)
def steps(request):
    return plan(request.param)


def expected(steps):
    return forward(steps, images())[steps[-1].name]


@pytest.mark.parametrize("name", ["torch", "torch_functional"])
def test_torch_builds_the_plan(steps, name):
    import torch

    with torch.no_grad():
        got = builder(name).build(steps, SHAPE)(torch.from_numpy(images())).numpy()
    np.testing.assert_allclose(got, expected(steps), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["keras", "keras_functional"])
def test_keras_builds_the_plan(steps, name):
    got = builder(name).build(steps, SHAPE)(np.moveaxis(images(), 1, -1)).numpy()
    np.testing.assert_allclose(got, expected(steps), rtol=1e-5, atol=1e-6)


def test_onnx_builds_the_plan(steps):
    import onnxruntime

    net = builder("onnx").build(steps, SHAPE)
    session = onnxruntime.InferenceSession(net.SerializeToString(), providers=["CPUExecutionProvider"])
    (got,) = session.run(None, {net.graph.input[0].name: images()})
    np.testing.assert_allclose(got, expected(steps), rtol=1e-5, atol=1e-6)


def test_the_oracle_s_gradient_is_torch_s_in_float64(steps):
    import torch

    x = torch.from_numpy(images(1)).double().requires_grad_()
    c = np.arange(1.0, 8.0)
    (builder("torch").build(steps, SHAPE).double()(x) @ torch.from_numpy(c)).sum().backward()
    np.testing.assert_allclose(gradient(steps, images(1)[0], c), x.grad[0].numpy(), rtol=1e-6, atol=1e-8)


def test_the_kinks_are_met():
    found = forward(plan("relu"), images())
    assert (found["relu2"] == 6).any(), "ReLU6 never clips"
    for name, before in (("relu1", "norm1"), ("relu2", "conv2"), ("relu3", "conv3"), ("relu4", "conv4")):
        assert (found[before] < 0).any(), f"{name} never cuts"
        assert (found[before] > 0).any(), f"{name} never passes"
