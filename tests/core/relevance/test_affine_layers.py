"""What is a gain and a shift of each channel, in one layer or in several, counts as a part of the kernel before it."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.model.layer import Layer
from crosslens.relevance import COMPOSITES
from crosslens.relevance.affine import affine_of
from torch import nn

NUMBERS = np.random.default_rng(6)
SIGNALS, IMAGES = (NUMBERS.random(shape, dtype=np.float32) for shape in ((2, 3, 12), (2, 3, 8, 8)))
GAIN, SHIFT = torch.tensor([0.7, -1.3, 1.1, -0.4, 0.9, 1.6]), torch.tensor([0.2, -0.1, 0.4, 0.3, -0.3, 0.1])


def relevance(net, images, **settings):
    model = net if isinstance(net, str) else net.eval()
    model = crosslens.wrap(model, preprocess=None, input_shape=images.shape[1:])
    settings = {"epsilon": 1e-3, "per_channel": True} | settings
    return crosslens.method("lrp", **settings)(model, images, target=1)


def assert_same(got, want):
    for one, other in ((got.values, want.values), (got.absorbed, want.absorbed)):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * np.abs(other).max() + 1e-6 * abs(want.start).max())


def batch_norm(gain, shift):
    """That multiplies by these gains and adds these shifts, whatever its own numbers."""
    norm, numbers = nn.BatchNorm1d(len(gain)), torch.Generator().manual_seed(0)
    norm.running_mean = torch.randn(len(gain), generator=numbers)
    norm.running_var = torch.rand(len(gain), generator=numbers) + 0.5
    norm.weight.data = gain * torch.sqrt(norm.running_var + norm.eps)
    norm.bias.data = shift + gain * norm.running_mean
    return norm


def fused(layer, gain, shift):
    """The same layer with its gain and its shift multiplied into it by hand."""
    layer.weight.data *= gain.reshape(-1, *[1] * (layer.weight.ndim - 1))
    layer.bias.data = layer.bias.data * gain + shift
    return layer


def of_signals(normalised):
    torch.manual_seed(4)
    one, two, head = nn.Conv1d(3, 6, 3, padding=1), nn.Conv1d(6, 4, 3), nn.Linear(4, 3)
    first = (one, batch_norm(GAIN, SHIFT)) if normalised else (fused(one, GAIN, SHIFT),)
    return nn.Sequential(*first, nn.ReLU(), two, nn.ReLU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), head)


@pytest.mark.parametrize("length", [12, 6])
@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_normalisation_of_signals_is_folded_as_one_of_maps_is(composite, length):
    """Also where there are as many positions as channels."""
    x = SIGNALS[:, :, :length]
    assert_same(*(relevance(of_signals(normalised), x, composite=composite) for normalised in (True, False)))


class NormalisedAlone(nn.Module):
    """A normalisation of signals that reads a sum."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.one, self.norm = nn.Conv1d(3, 3, 3, padding=1), batch_norm(GAIN[:3], SHIFT[:3])
        self.two, self.head = nn.Conv1d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.relu(self.two(torch.relu(self.norm(x + self.one(x))))).mean(2))


@pytest.mark.parametrize("length", [12, 3])
def test_the_accounts_of_signals_close(length):
    figures = relevance(NormalisedAlone(), SIGNALS[:, :, :length]).figures()
    assert (np.abs(figures["gap"]) < 1e-4 * np.abs(figures["biases"])).all()


class WrittenOut(nn.Module):
    """x gain + shift in two operators, as converters leave a normalisation; or nothing."""

    def __init__(self, written):
        super().__init__()
        self.written, self.gamma, self.beta = written, nn.Parameter(GAIN), nn.Parameter(SHIFT)

    def forward(self, x):
        along = (1, -1, *[1] * (x.ndim - 2))
        return x * self.gamma.reshape(along) + self.beta.reshape(along) if self.written else x


def of_maps(written):
    """A depthwise convolution, many of whose inputs are 0, and a dense layer, with a gain and a shift behind each."""
    torch.manual_seed(5)
    first, dense, head = nn.Conv2d(3, 6, 3), nn.Linear(6, 6), nn.Linear(6, 3)
    depthwise = nn.Conv2d(6, 6, 3, groups=6)
    first.bias.data[:] = torch.tensor([-9.0, 0.1, 0.2, 0.0, 0.3, 0.1])  # one channel is dead
    depthwise.bias.data[0] = 0
    if not written:
        fused(depthwise, GAIN, SHIFT)
        fused(dense, GAIN, SHIFT)
    return nn.Sequential(
        first, nn.ReLU(), depthwise, WrittenOut(written), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        dense, WrittenOut(written), nn.ReLU(), head,
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Two ONNX files, with the operators and fused."""
    pytest.importorskip("onnx")
    folder = tmp_path_factory.mktemp("files")
    for written in (True, False):
        torch.onnx.export(
            of_maps(written), torch.zeros(1, 3, 8, 8), str(folder / f"{written}.onnx"), dynamo=False,
            input_names=["x"], dynamic_axes={"x": [0]}, do_constant_folding=True,
        )  # fmt: skip
    return [str(folder / f"{written}.onnx") for written in (True, False)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_product_and_a_sum_with_constants_count_as_the_normalisation_that_they_are(files, composite):
    got, want = (relevance(file, IMAGES, composite=composite) for file in files)
    assert_same(got, want)


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_module_that_multiplies_and_adds_counts_so_too(composite):
    assert_same(*(relevance(of_maps(written), IMAGES, composite=composite) for written in (True, False)))


def layer(kind):
    return Layer("a", kind, (None, 6, 4, 4))


X = NUMBERS.normal(size=(2, 6, 4, 4))
CHANNELS = GAIN.double().numpy()[:, None, None]


def test_gains_and_shifts_are_found_from_values():
    times, plus = (affine_of(layer(kind), {}, X, y) for kind, y in (("Mul", X * CHANNELS), ("Add", X + CHANNELS)))
    np.testing.assert_allclose(times.gain, GAIN.numpy(), rtol=1e-6)
    np.testing.assert_allclose(plus.shift, GAIN.numpy(), rtol=1e-6)
    assert not times.shift.any()
    assert (plus.gain == 1).all()
    tokens = np.moveaxis(X.reshape(2, 6, 16), 1, 2)
    found = affine_of(layer("Div"), {}, tokens, tokens / CHANNELS.ravel())
    np.testing.assert_allclose(found.gain, 1 / GAIN.numpy(), rtol=1e-5)
    assert found.axis == 2


@pytest.mark.parametrize(
    ("kind", "x", "y"),
    [
        ("Mul", X, X * X),
        ("Mul", X, X / (1 + np.exp(-X))),
        ("Add", X, X + X[:1]),
        ("Mul", X, X * X[:1, :1]),
        ("Mul", X * (CHANNELS > 0), X * (CHANNELS > 0)),
        ("Mul", X, X.mean(axis=(2, 3), keepdims=True)),
    ],
    ids=["square", "gate", "by position", "gain by position", "channels without values", "another shape"],
)
def test_what_is_none_is_left_alone(kind, x, y):
    assert affine_of(layer(kind), {}, x, y) is None


def test_vectors_of_one_position_do_not_make_a_gate_affine():
    assert affine_of(layer("Mul"), {}, X[:, :, 0, 0], X[:, :, 0, 0] ** 2) is None
