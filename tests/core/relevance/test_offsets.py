"""What normalisations that stand alone take of the relevance: the accounts close with it, and are off without."""

import crosslens
import numpy as np
import pytest
from crosslens.relevance import COMPOSITES, linear_maps
from crosslens.relevance.offsets import offsets

torch = pytest.importorskip("torch")
nn = torch.nn
X = np.random.default_rng(0).random((2, 3, 12, 12), dtype=np.float32)


class DenseBlock(nn.Module):
    """Normalised before its convolution, as in DenseNet (Huang et al. 2017)."""

    def __init__(self, channels):
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, 4, 3, padding=1)

    def forward(self, x):
        return torch.cat([x, self.conv(torch.relu(self.norm(x)))], 1)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    blocks = [nn.Conv2d(3, 4, 3), DenseBlock(4), DenseBlock(8), nn.GroupNorm(3, 12)]
    net = nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(12), nn.Linear(12, 5)).eval()
    for norm in (each for each in net.modules() if isinstance(each, nn.BatchNorm2d | nn.GroupNorm | nn.LayerNorm)):
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.running_mean)
            nn.init.uniform_(norm.running_var, 0.5, 2)
    return crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 12))


def test_offsets_are_those_of_the_modules(model):
    found = offsets(model, linear_maps(model))
    net = model.network.net
    assert set(found) == {"1.norm", "2.norm", "3", "6"}
    norm = net[1].norm
    shift = norm.bias - norm.running_mean * norm.weight / torch.sqrt(norm.running_var + norm.eps)
    np.testing.assert_allclose(found["1.norm"].ravel(), shift.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["6"], net[6].bias.detach().numpy())


@pytest.mark.parametrize("composite", [name for name in COMPOSITES if name != "excitation"])
def test_the_accounts_close(model, composite):
    figures = crosslens.method("lrp", composite=composite)(model, X[:1], 1).figures()
    assert abs(figures["gap"]) < 1e-5 * abs(figures["start"])
    assert abs(figures["biases"]) > 0.5 * abs(figures["start"])


def test_at_a_layer_only_what_lies_above_counts(model):
    figures = crosslens.method("lrp", layer="2")(model, X[:1], 1).figures()
    assert abs(figures["gap"]) < 1e-5 * abs(figures["start"])
    assert figures["biases"] != crosslens.method("lrp")(model, X[:1], 1).figures()["biases"]
