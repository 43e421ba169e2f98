"""Style networks in PyTorch against the papers' equations, written slowly in float64."""

import numpy as np
import pytest
import torch
from crosslens.backends.torch.style.convolution_by_rows import ConvolutionByRows
from crosslens.backends.torch.style.networks import build, load_weights, read_weights
from crosslens.errors import ModelError
from crosslens.style_network.architecture import weight_shapes
from crosslens.style_network.spec import StyleSpec

DECODER = StyleSpec("decoder", "none", width=4, blocks=3, code=(12, 8))
SPECS = {
    **{norm: StyleSpec(norm=norm, width=3, blocks=2) for norm in ("instance", "batch", "none")},
    "conditional": StyleSpec(norm="conditional", styles=3, width=3, blocks=2),
    "decoder": DECODER,
}


def convolution(x, kernel, bias=0.0, stride=1):
    """Cross-correlation of (C, H, W) padded by reflection, one place at a time."""
    k = kernel.shape[-1]
    padded = np.pad(x, ((0, 0), (k // 2, k // 2), (k // 2, k // 2)), mode="reflect")
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    y = np.empty((len(kernel), rows, columns))
    for i in range(rows):
        for j in range(columns):
            window = padded[:, i * stride : i * stride + k, j * stride : j * stride + k]
            y[:, i, j] = (kernel * window).sum((1, 2, 3))
    return y + np.reshape(bias, (-1, 1, 1))


def normalised(x, norm, weights, name, mixture):
    """Dumoulin et al., equation 5: statistics over a picture's places, biased variance; batch: the running ones."""
    if norm == "none":
        return x
    scale, shift = weights[f"{name}.norm.weight"], weights[f"{name}.norm.bias"]
    if norm == "conditional":
        scale, shift = mixture @ scale, mixture @ shift
    mean, variance = x.mean((1, 2)), x.var((1, 2))
    if norm == "batch":
        mean, variance = weights[f"{name}.norm.running_mean"], weights[f"{name}.norm.running_var"]
    scale, shift, mean, variance = (v[:, None, None] for v in (scale, shift, mean, variance))
    return scale * (x - mean) / np.sqrt(variance + 1e-5) + shift


def twice_as_large(x):
    return x.repeat(2, axis=1).repeat(2, axis=2)


def johnson(image, spec, weights, mixture=None):
    """The network of the supplement, for one picture (3, H, W)."""

    def layer(name, x, stride=1):
        bias = weights.get(f"{name}.convolution.bias", 0.0)
        y = convolution(x, weights[f"{name}.convolution.weight"], bias, stride)
        return normalised(y, spec.norm, weights, name, mixture) if name != "leave" else y

    full = np.maximum(layer("enter", image), 0)
    half = np.maximum(layer("down_1", full, 2), 0)
    x = np.maximum(layer("down_2", half, 2), 0)
    for n in range(1, spec.blocks + 1):
        x = x + layer(f"block_{n}_2", np.maximum(layer(f"block_{n}_1", x), 0))
    x = np.maximum(layer("up_1", twice_as_large(x)[:, : half.shape[1], : half.shape[2]]), 0)
    x = np.maximum(layer("up_2", twice_as_large(x)[:, : full.shape[1], : full.shape[2]]), 0)
    return 1 / (1 + np.exp(-layer("leave", x)))


def vgg16_decoder(features, weights):
    """The mirror of VGG16 up to relu4_1, for features (C, h, w)."""

    def layer(name, x):
        return convolution(x, weights[f"{name}.convolution.weight"], weights[f"{name}.convolution.bias"])

    x = twice_as_large(np.maximum(layer("at_8_1", features), 0))
    for name in ("at_4_1", "at_4_2", "at_4_3"):
        x = np.maximum(layer(name, x), 0)
    x = twice_as_large(x)
    for name in ("at_2_1", "at_2_2"):
        x = np.maximum(layer(name, x), 0)
    x = np.maximum(layer("at_1_1", twice_as_large(x)), 0)
    return 1 / (1 + np.exp(-layer("at_1_2", x)))


def network(spec):
    """With every weight and statistic random, so that none can be forgotten."""
    torch.manual_seed(0)
    made = build(spec).double().eval()
    rng = np.random.default_rng(0)
    shape = {name: value.shape for name, value in read_weights(made).items()}
    weights = {name: rng.uniform(0.2, 1.0, s) * rng.choice([-1, 1], s) * 0.3 for name, s in shape.items()}
    weights |= {name: np.abs(value) + 0.5 for name, value in weights.items() if name.endswith("running_var")}
    load_weights(made, weights)
    return made, weights


@pytest.mark.parametrize("size", [(9, 14), (12, 8)])
@pytest.mark.parametrize("norm", ["instance", "batch", "none", "conditional"])
def test_feed_forward_networks_are_those_of_the_papers(norm, size):
    made, weights = network(SPECS[norm])
    image = np.random.default_rng(1).random((2, 3, *size))
    mixtures = np.array([[1.0, 0.0, 0.0], [0.2, 0.5, 0.3]])
    further = [torch.tensor(mixtures)] if norm == "conditional" else []
    with torch.no_grad():
        got = made(torch.tensor(image), *further).numpy()
    expected = [johnson(x, SPECS[norm], weights, mixture) for x, mixture in zip(image, mixtures, strict=True)]
    np.testing.assert_allclose(got, expected, rtol=1e-9)


def test_a_decoder_is_the_mirror_of_vgg():
    made, weights = network(DECODER)
    features = np.random.default_rng(1).random((1, 12, 3, 2))
    with torch.no_grad():
        got = made(torch.tensor(features)).numpy()[0]
    np.testing.assert_allclose(got, vgg16_decoder(features[0], weights), rtol=1e-9)


def test_styles_mix_for_all_pictures_or_for_each():
    made, _ = network(SPECS["conditional"])
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    one, each = torch.tensor([0.3, 0.3, 0.4]).double(), torch.tensor([[0.3, 0.3, 0.4]] * 2).double()
    torch.testing.assert_close(made(images, one), made(images, each))
    with pytest.raises(ValueError, match="3 styles; give style_weights of shape"):
        made(images)


@pytest.mark.parametrize("size", [(97, 130), (5, 6), (64, 64)])
def test_the_output_has_the_size_of_the_input(size):
    made = build(SPECS["instance"])
    assert made(torch.rand(1, 3, *size)).shape == (1, 3, *size)


@pytest.mark.parametrize("name", SPECS)
def test_weights_have_the_names_and_shapes_that_core_says(name):
    shapes = {key: value.shape for key, value in read_weights(build(SPECS[name])).items()}
    assert shapes == weight_shapes(SPECS[name])


def test_weights_of_another_network_are_refused():
    made, other = build(SPECS["instance"]), read_weights(build(SPECS["conditional"]))
    with pytest.raises(ModelError, match=r"not the weights of this style network: '.*' has shape \(3, .*is wanted"):
        load_weights(made, other)


@pytest.mark.parametrize("kernel", [9, 3, 1])
def test_a_convolution_by_rows_is_the_convolution(kernel):
    torch.manual_seed(0)
    whole = torch.nn.Conv2d(4, 3, kernel, padding=kernel // 2, padding_mode="reflect").double()
    x = torch.rand(2, 4, 7, 12, dtype=torch.float64)
    torch.testing.assert_close(ConvolutionByRows(whole).double()(x), whole(x))
