"""A Relu before a MaxPool of windows that do not overlap: one mask serves both, and gradients stay torch's."""

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F  # noqa: N812

KERNEL = np.random.default_rng(0).standard_normal((3, 1, 3, 3)).astype(np.float32)
DY = np.random.default_rng(1).standard_normal((2, 3, 3, 4)).astype(np.float32)
BOTH_READ = np.random.default_rng(2).standard_normal((2, 3, 7, 8)).astype(np.float32)
RULES = {"exact": lambda dy, y: dy * (y > 0), "guided": lambda dy, y: dy.clamp(min=0) * (y > 0)}
RULES["deconvnet"] = lambda dy, y: dy.clamp(min=0)


@pytest.fixture(scope="module")
def model():
    """Conv -> Relu -> MaxPool, of images (N, 1, 7, 8); both the Relu and the pool are outputs that can be asked for."""
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["z"], name="conv", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["z"], ["y"], name="relu"),
        helper.make_node("MaxPool", ["y"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Mul", ["p", "two"], ["out"], name="out"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 7, 8])
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, ["N", 3, 3, 4])
    weights = [numpy_helper.from_array(KERNEL, "kernel"), numpy_helper.from_array(np.float32(2), "two")]
    graph = helper.make_graph(nodes, "pooled", [image], [out], weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(made)
    return wrap(made, preprocess=None)


@pytest.fixture(params=["noise", "constant areas"])
def images(request):
    x = np.random.default_rng(3).random((2, 1, 7, 8), dtype=np.float32)
    if request.param == "constant areas":
        x[0] = 0.5
        x[1, :, :4] = 0
    return x


def by_torch(x, dy, relu="exact", at_relu=None):
    """Gradients at the image and at the Relu's output, in float64; the rectifier's rule by hand."""
    z = F.conv2d(torch.from_numpy(x).double(), torch.from_numpy(KERNEL).double(), padding=1)
    y = z.clamp(min=0).requires_grad_()
    (gradient,) = torch.autograd.grad(2 * F.max_pool2d(y, 2), y, torch.from_numpy(dy).double())
    whole = gradient if at_relu is None else gradient + torch.from_numpy(at_relu).double()
    back = RULES[relu](whole, y.detach())
    return F.conv_transpose2d(back, torch.from_numpy(KERNEL).double(), padding=1).numpy(), gradient.numpy()


@pytest.mark.parametrize("relu", RULES)
def test_the_gradient_at_the_image_is_torchs_under_every_rule(model, images, relu):
    ours = model.modified(relu=relu).vjp(images, {OUTPUT: DY}).gradients[INPUT]
    np.testing.assert_allclose(ours, by_torch(images, DY, relu)[0], atol=1e-5)


def test_the_gradient_at_the_relu_itself_is_not_masked(model, images):
    ours = model.vjp(images, {OUTPUT: DY}, wrt=["relu", INPUT]).gradients
    at_image, at_relu = by_torch(images, DY)
    np.testing.assert_allclose(ours["relu"], at_relu, atol=1e-5)
    np.testing.assert_allclose(ours[INPUT], at_image, atol=1e-5)


def test_another_cotangent_at_the_relu_is_added_and_masked(model, images):
    ours = model.vjp(images, {OUTPUT: DY, "relu": BOTH_READ}).gradients[INPUT]
    np.testing.assert_allclose(ours, by_torch(images, DY, at_relu=BOTH_READ)[0], atol=1e-5)
