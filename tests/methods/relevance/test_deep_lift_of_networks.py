"""DeepLIFT on torch: captum's published values, what captum gets wrong, attention, normalisations and maxima."""

import crosslens
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from .test_attn_lrp import Transformer

X = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
REFERENCE = np.random.default_rng(1).random((3, 8, 8)).astype(np.float32)


class LargestOfFour(nn.Module):
    """captum's LinearMaxPoolLinearModel: identity, the largest of four, identity."""

    def __init__(self):
        super().__init__()
        self.lin1, self.pool, self.lin2 = nn.Linear(4, 4, bias=False), nn.MaxPool1d(4), nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.lin1.weight.copy_(torch.eye(4))
            self.lin2.weight.fill_(1)

    def forward(self, x):
        return self.lin2(self.pool(self.lin1(x.flatten(1)).unsqueeze(1))).squeeze(1)


def test_captums_published_values_of_a_maximum():
    model = crosslens.wrap(LargestOfFour().eval(), preprocess=None, input_shape=(1, 1, 4), output_kind="score")
    model.input = crosslens.InputSpec((1, 1, 4), bounds=None)
    ones = np.ones((1, 1, 1, 4), np.float32)
    for reference, expected in (([1, 2, 3, 9], [0, 0, 0, -8]), ([4, 8, 6, 7], [0, -7, 0, 0])):
        baseline = np.array(reference, np.float32).reshape(1, 1, 4)
        found = crosslens.method("deep_lift", preset="captum", baseline=baseline)(model, ones, 0)
        np.testing.assert_allclose(found.values.ravel(), expected, atol=1e-6)
        np.testing.assert_allclose(found.figures()["gap"], 0, atol=1e-6)


class Reused(nn.Module):
    """One rectifier for two layers, another by a function, in place, and a sum around a layer."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.relu, self.fc = nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Linear(6, 5)

    def activation(self, z, *, inline):
        return functional.gelu(z) if inline else self.relu(z)

    def forward(self, x):
        x = self.activation(self.norm(self.conv1(x)), inline=False)
        y = self.activation(self.conv2(x), inline=True)
        return self.fc(self.activation(y + self.conv2(y), inline=False).mean(dim=(2, 3)) + x.mean(dim=(2, 3)))


class WithSecants(Reused):
    """On an image and its reference: the gradient of the image is the multiplier, the secants held constant."""

    def activation(self, z, *, inline):
        y = (functional.gelu(z) if inline else functional.relu(z)).detach()
        secant = ((y[:1] - y[1:]) / (z[:1] - z[1:])).detach()
        return y + secant * (z - z.detach())


def test_functions_and_reused_modules_have_their_own_secants():
    torch.manual_seed(1)
    net = Reused().eval()
    with torch.no_grad():
        net.norm.weight.copy_(torch.tensor([1.0, -0.7, 0.5, 2, -1, 0.3]))
        net.norm.running_mean.normal_()
    slow = WithSecants().double().eval()
    slow.load_state_dict(net.state_dict())
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8))
    found = crosslens.method("deep_lift", baseline=REFERENCE)(model, X, 2)
    for n in range(3):
        pair = torch.tensor(np.stack([X[n], REFERENCE])).double().requires_grad_()
        slow(pair)[0, 2].backward()
        expected = (pair.grad[0] * (pair[0] - pair[1])).detach().numpy()
        np.testing.assert_allclose(found.values[n], expected, atol=1e-3 * abs(expected).max())
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), found.start, atol=1e-5)


class Varied(nn.Module):
    """Maxima, gates, divisions and a softmax on the way."""

    def __init__(self):
        super().__init__()
        self.conv1, self.conv2, self.fc = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3), nn.Linear(8, 5)
        self.group = nn.GroupNorm(2, 8)

    def forward(self, x):
        x = functional.max_pool2d(functional.silu(self.group(self.conv1(x))), 2)
        gate = torch.sigmoid(self.conv2(x)).amax(dim=(2, 3), keepdim=True)
        x = (x * gate / (1 + x.square().mean(dim=1, keepdim=True))).flatten(2)
        weights = (x.transpose(1, 2) @ x).softmax(dim=-1)
        return self.fc((x @ weights).mean(dim=2).log1p())


@pytest.mark.parametrize("network", [Transformer, Varied, Reused])
@pytest.mark.parametrize("baseline", ["black", "blurred"])
def test_values_add_up_whatever_the_network_does(network, baseline):
    torch.manual_seed(2)
    model = crosslens.wrap(network().eval(), preprocess=None, input_shape=(3, 8, 8))
    found = crosslens.method("deep_lift", baseline=baseline)(model, X)
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), found.start, atol=2e-5 * abs(found.values).sum())
    assert max(map(abs, found.figures()["gap"])) < 1e-5
    assert not found.notes


def test_reveal_cancel_runs_through_a_classifier_of_dense_layers():
    """A dense layer's rectifier as a module, batch normalisation before it folded in; complete as the other rule."""
    torch.manual_seed(4)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 16), nn.BatchNorm1d(16), nn.ReLU(),
        nn.Dropout(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 5),
    ).eval()  # fmt: skip
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 8, 8))
    rescaled = crosslens.method("deep_lift", baseline=REFERENCE)(model, X, 1)
    found = crosslens.method("deep_lift", baseline=REFERENCE, rule="reveal_cancel")(model, X, 1)
    np.testing.assert_allclose(found.values.sum(axis=(1, 2, 3)), found.start, atol=1e-5)
    np.testing.assert_allclose(found.start, rescaled.start, atol=1e-6)
    assert abs(found.values - rescaled.values).max() > 0.01 * abs(rescaled.values).max()
    assert found.notes == ("reveal_cancel at '3', '7'; rescale behind '0', '9'",)
