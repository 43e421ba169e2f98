"""The zoo through crosslens: one network, three backends, one set of numbers.

Where a rectifier's input is all but zero, float32 may fall on either side, and gradients jump: see `somewhere_close`.
"""

from functools import cache

import crosslens
import numpy as np
import pytest
from crosslens import INPUT, OUTPUT
from crosslens.errors import ModelError
from crosslens.plugins.registry import demo_networks

FRAMEWORKS = ["torch", "keras", "onnx"]
OTHERS = ["keras", "onnx"]


@pytest.fixture(scope="module")
def wrapped():
    return cache(lambda name: crosslens.wrap(f"demo:{name}"))


@pytest.fixture(scope="module")
def gradients(wrapped):
    """(output, gradient of <cotangent, output> at the images) of a wrapped network; `seed` chooses the images."""
    of_exporter = cache(exported)

    @cache
    def at(name, seed, exporter=None):
        model = wrapped(name) if exporter is None else of_exporter(name, exporter)
        return pull(model, *given(model, seed))

    return at


def exported(network, exporter):
    """The wrapped Model's own options around another exporter's file."""
    from crosslens.backends.zoo import _OPTIONS, onnx_files

    return crosslens.wrap(getattr(onnx_files, network)(exporter), **_OPTIONS[network]())


def given(model, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(2, *model.input.example_shape)).astype(np.float32)
    y = model.forward(x[:1])[OUTPUT].shape[1:]
    return x, rng.normal(size=(2, *y)).astype(np.float32)


def pull(model, x, cotangent):
    found = model.vjp(x, {OUTPUT: cotangent}, capture=[OUTPUT])
    return found.activations[OUTPUT], found.gradients[INPUT]


@pytest.fixture(scope="module")
def chelsea(wrapped):
    from PIL import Image
    from skimage import data

    return crosslens.load_image(Image.fromarray(data.chelsea()), like=wrapped("lite0_torch"))


@pytest.fixture(scope="module")
def exact(chelsea):
    """The gradient of Lite0's logit of a tiger cat at a noisy chelsea, by torch in float64."""
    import torch
    from crosslens.backends.zoo import torch_nets

    module = torch_nets.lite0().double()

    @cache
    def gradient(seed):
        x = torch.tensor(noisy(chelsea, seed), dtype=torch.float64, requires_grad=True)
        module((x * 255 - 127) / 128)[0, 282].backward()
        return x.grad.numpy()

    return gradient


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_lite0_recognises_eighteen_of_twenty_photographs(framework, wrapped, photographs, relative):
    images, labels = photographs
    expected = wrapped("lite0_torch").forward(images)[OUTPUT]
    got = wrapped(f"lite0_{framework}").forward(images)[OUTPUT]
    assert (got.argmax(axis=1) == labels).sum() == 18
    np.testing.assert_array_equal(got.argmax(axis=1), expected.argmax(axis=1))
    assert relative(expected, got) < 1e-5


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_lite0_calls_chelsea_a_tiger_cat(framework, wrapped, chelsea):
    model = wrapped(f"lite0_{framework}")
    logits = model.forward(chelsea)[OUTPUT][0].astype(np.float64)
    assert model.labels[logits.argmax()] == "tiger cat"
    assert np.exp(logits.max()) / np.exp(logits).sum() == pytest.approx(0.386, abs=0.002)


def noisy(image, seed):
    return np.clip(image + np.random.default_rng(seed).normal(0, 0.01, image.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_lite0s_gradient_is_that_in_float64(framework, wrapped, chelsea, exact, relative, somewhere_close):
    dy = np.eye(1000, dtype=np.float32)[None, 282]

    def error(seed):
        image = noisy(chelsea, seed)
        return relative(exact(seed), wrapped(f"lite0_{framework}").vjp(image, {OUTPUT: dy}).gradients[INPUT])

    somewhere_close(error, 1e-5)


@pytest.mark.parametrize("framework", OTHERS)
def test_grad_cam_of_chelsea_agrees_to_1e_4(framework, wrapped, chelsea, relative):
    cam = crosslens.method("grad_cam")
    expected = cam(wrapped("lite0_torch"), chelsea, target=282).values
    assert relative(expected, cam(wrapped(f"lite0_{framework}"), chelsea, target=282).values) < 1e-4


@pytest.mark.parametrize("framework", OTHERS)
@pytest.mark.parametrize(("network", "tolerance"), [("xception", 1e-4), ("dcgan", 1e-5)])
def test_outputs_and_gradients_agree_with_torchs(network, tolerance, framework, gradients, relative, somewhere_close):
    def error(seed):
        expected, got = gradients(f"{network}_torch", seed), gradients(f"{network}_{framework}", seed)
        assert relative(expected[0], got[0]) < 1e-5
        return relative(expected[1], got[1])

    somewhere_close(error, tolerance)


@pytest.mark.parametrize("exporter", ["legacy", "tf2onnx"])
@pytest.mark.parametrize(("network", "tolerance"), [("xception", 1e-4), ("dcgan", 1e-5)])
def test_gradients_do_not_depend_on_the_exporter(network, tolerance, exporter, gradients, relative, somewhere_close):
    def error(seed):
        return relative(gradients(f"{network}_torch", seed)[1], gradients(network, seed, exporter)[1])

    somewhere_close(error, tolerance)


@pytest.mark.parametrize("framework", OTHERS)
def test_vgg16s_trunk_agrees_with_torchs(framework, wrapped, relative):
    """Style transfer's use of it: a deep layer's activation, and a gradient from there to the image."""
    layer = {"keras": "block4_conv2", "onnx": "functional_1/block4_conv2_1/BiasAdd"}[framework]
    x = np.random.default_rng(1).uniform(size=(1, 3, 240, 240)).astype(np.float32)
    expected = wrapped("vgg16_torch").forward(x, ["block4_conv2"])["block4_conv2"]
    assert expected.shape == (1, 512, 30, 30)
    seed = {"block4_conv2": expected}
    at_image = wrapped("vgg16_torch").vjp(x, seed).gradients[INPUT]
    got = wrapped(f"vgg16_{framework}").vjp(x, {layer: expected}, capture=[layer])
    assert relative(expected, got.activations[layer]) < 1e-5
    assert np.linalg.norm(at_image - got.gradients[INPUT]) < 1e-2 * np.linalg.norm(at_image)


def test_every_name_of_the_zoo_has_its_input_and_labels(wrapped):
    for name in ("vgg16_torch", "xception_torch", "lite0_torch"):
        model = wrapped(name)
        assert len(model.labels) == model.layers[OUTPUT].shape[1]
    assert wrapped("xception_torch").input.shape == (1, 64, 64)
    assert not wrapped("dcgan_torch").input.is_image


def test_a_misspelled_network_gets_the_right_names():
    assert len(demo_networks()) == 12
    with pytest.raises(ModelError, match=r"no demo network 'lite_torch'; there are .*\. Did you mean 'lite0_torch'"):
        crosslens.wrap("demo:lite_torch")
