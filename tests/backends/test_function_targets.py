"""A function of the output as a target in each framework: its own autodiff, or differences where there is none."""

import crosslens
import numpy as np
import pytest
from crosslens.errors import TargetError
from crosslens.objective import function

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:torch.onnx", "ignore:.*ONNX export:DeprecationWarning"
)
IMAGES = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)


@pytest.fixture(scope="module")
def net():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 4, 3), torch.nn.Tanh(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    return torch.nn.Sequential(*layers, torch.nn.Linear(4, 5)).eval()


def wrapped(net):
    return crosslens.wrap(net, input_shape=(3, 12, 12), preprocess=None)


def by_hand(net, f):
    import torch

    x = torch.tensor(IMAGES, requires_grad=True)
    f(net(x)).sum().backward()
    return x.grad.numpy()


def test_torch_functions_are_differentiated_by_autograd(net):
    import torch

    model = wrapped(net)
    found = crosslens.method("gradient")(model, IMAGES, lambda out: torch.logsumexp(out, 1))
    np.testing.assert_allclose(found.values, by_hand(net, lambda out: out.logsumexp(1)), rtol=1e-5, atol=1e-8)
    of_layer = function(lambda maps: torch.relu(maps).pow(2).sum((1, 2, 3)), net[0])
    found = crosslens.method("gradient")(model, IMAGES, of_layer)
    inner = by_hand(net[0], lambda maps: maps.relu().pow(2).sum((1, 2, 3)))
    np.testing.assert_allclose(found.values, inner, rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array_wrap__")
def test_numpy_functions_work_on_torch_by_differences(net):
    found = crosslens.method("gradient")(wrapped(net), IMAGES, lambda out: np.log(np.exp(out).sum(1)))
    np.testing.assert_allclose(found.values, by_hand(net, lambda out: out.logsumexp(1)), rtol=1e-4, atol=1e-6)


def test_a_detached_value_has_no_gradient_and_is_explained_without_one(net):
    def detached(out):
        return out[:, 3].detach()

    with pytest.raises(
        TargetError, match=r"detached has no gradient: .* \(was it detached, or turned into a number\?\)"
    ):
        crosslens.method("gradient")(wrapped(net), IMAGES, detached)
    assert crosslens.method("occlusion", window=6, stride=6)(wrapped(net), IMAGES, detached).values.any()


def test_one_function_is_compared_across_torch_and_onnx(net, tmp_path):
    onnx_file = exported(net, tmp_path)
    made = crosslens.compare(
        {"torch": wrapped(net), "onnx": wrapped(onnx_file)}, "gradient", IMAGES, lambda out: out[:, 3] - out[:, 1] ** 2
    )
    expected = by_hand(net, lambda out: out[:, 3] - out[:, 1] ** 2)
    for name in made.models:
        np.testing.assert_allclose(made.results["gradient", name].values, expected, rtol=1e-4, atol=1e-6)


def test_a_torch_function_on_onnx_says_that_it_gets_numpy(net, tmp_path):
    import torch

    with pytest.raises(TargetError, match=r"torch\.logsumexp\(out, 1\) fails on \(3, 5\): TypeError: .*numpy\.ndarray"):
        crosslens.method("gradient")(wrapped(exported(net, tmp_path)), IMAGES, lambda out: torch.logsumexp(out, 1))


def exported(net, folder):
    import torch

    pytest.importorskip("onnxruntime")
    path = folder / "net.onnx"
    torch.onnx.export(
        net, torch.zeros(1, 3, 12, 12), path, dynamo=False, dynamic_axes={"image": {0: "n"}}, input_names=["image"]
    )
    return path


def test_tensorflow_functions_are_differentiated_by_a_tape():
    tf = pytest.importorskip("tensorflow")
    import keras

    keras.utils.set_random_seed(0)
    net = keras.Sequential([keras.Input((12, 12, 3)), keras.layers.Conv2D(4, 3, activation="tanh"),
                            keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(5)])  # fmt: skip
    model = crosslens.wrap(net, preprocess=None)
    found = crosslens.method("gradient")(model, IMAGES, lambda out: tf.reduce_logsumexp(out, axis=1)).values
    in_numpy = crosslens.method("gradient")(model, IMAGES, lambda out: np.log(np.exp(out).sum(1))).values
    x = tf.constant(IMAGES.transpose(0, 2, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = tf.reduce_logsumexp(net(x), axis=1)
    expected = tape.gradient(value, x).numpy().transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(in_numpy, expected, rtol=1e-4, atol=1e-6)
