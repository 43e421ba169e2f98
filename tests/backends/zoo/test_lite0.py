"""EfficientNet-Lite0 in three frameworks: the published weights, one result."""

import numpy as np
import pytest
from crosslens.backends.zoo import torch_nets
from crosslens.backends.zoo.packaged import imagenet_labels
from crosslens.image.io import load_image

ELSEWHERE = ["keras", "dynamo", "legacy", "tf2onnx"]


def as_trained(image):
    """Its authors' own preprocessing of 0..255."""
    return ((image * 255 - 127) / 128).astype(np.float32)


@pytest.fixture(scope="module")
def logits(raw, photographs):
    return raw("lite0", "torch")(as_trained(photographs[0]))


def test_eighteen_of_twenty_photographs_are_recognised(logits, photographs):
    assert (logits.argmax(axis=1) == photographs[1]).sum() == 18


@pytest.mark.parametrize("where", ELSEWHERE)
def test_logits_on_photographs_agree_with_torch_to_1e_5(where, raw, relative, photographs, logits):
    got = raw("lite0", where)(as_trained(photographs[0]))
    assert relative(logits, got) < 1e-5
    np.testing.assert_array_equal(got.argmax(axis=1), logits.argmax(axis=1))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [("chelsea", {"tiger cat": 0.39, "Egyptian cat": 0.36, "tabby, tabby cat": 0.17}), ("coffee", {"espresso": 0.95})],
)
def test_known_pictures_get_the_published_probabilities(picture, expected, raw):
    from PIL import Image
    from skimage import data

    image = load_image(Image.fromarray(getattr(data, picture)()), size=(224, 224))
    (logits,) = raw("lite0", "torch")(as_trained(image)).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum()
    best = probabilities.argsort()[::-1][: len(expected)]
    assert {imagenet_labels()[k]: round(probabilities[k], 2) for k in best} == pytest.approx(expected, abs=0.01)


def correlated_slowly(x, kernel, stride):
    """TensorFlow's SAME from its documentation: ceil(size / stride) outputs, the odd pixel of padding at the end."""
    size, k = x.shape[-1], kernel.shape[-1]
    out = -(-size // stride)
    total = max((out - 1) * stride + k - size, 0)
    padded = np.zeros((size + total,) * 2)
    padded[total // 2 : total // 2 + size, total // 2 : total // 2 + size] = x[0, 0]
    return np.array(
        [
            [
                (padded[i * stride : i * stride + k, j * stride : j * stride + k] * kernel[0, 0]).sum()
                for j in range(out)
            ]
            for i in range(out)
        ]
    )


@pytest.mark.parametrize("size", [7, 8, 9])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_padding_is_that_of_tensorflow_at_any_size(size, stride, kernel):
    import torch

    conv = torch_nets.SameConv2d(1, 1, kernel, stride)
    x = np.random.default_rng(0).normal(size=(1, 1, size, size)).astype(np.float32)
    with torch.no_grad():
        got = conv(torch.tensor(x))[0, 0].numpy()
        expected = correlated_slowly(x, conv.weight.numpy(), stride)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_one_layer_name_means_one_activation_in_torch_and_keras(raw):
    import keras
    import torch
    from crosslens.backends.zoo import keras_nets

    names = [
        "conv_stem",
        "relu0",
        "blocks.0.bn2",
        "blocks.3.depthwise_conv",
        "blocks.4",
        "blocks.15.relu1",
        "bn1",
        "fc",
    ]
    x = np.random.default_rng(0).normal(size=(1, 3, 224, 224)).astype(np.float32)
    module, model, seen = torch_nets.lite0(), keras_nets.lite0(), {}
    for name in names:
        module.get_submodule(name).register_forward_hook(lambda _, __, y, name=name: seen.update({name: y}))
    with torch.no_grad():
        module(torch.tensor(x))
    got = keras.Model(model.input, [model.get_layer(name).output for name in names])(np.moveaxis(x, 1, -1))
    for name, values in zip(names, got, strict=True):
        np.testing.assert_allclose(np.moveaxis(values.numpy(), -1, 1), seen[name], atol=1e-4, err_msg=name)
