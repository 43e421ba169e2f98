"""One network as torch runs it and as an ONNX file: every rule gives the same gradients and the same relevance."""

import io
import warnings

import numpy as np
import onnx
import pytest
import torch
from crosslens import INPUT, OUTPUT, wrap
from crosslens.methods.relevance.attn_lrp import AttnLRP
from crosslens.methods.relevance.deep_lift import DeepLIFT
from crosslens.methods.relevance.lrp import LRP
from torch import nn
from torch.nn import functional as F  # noqa: N812

RNG = np.random.default_rng(0)
X = RNG.random((4, 3, 32, 32), np.float32)
DY = RNG.normal(size=(4, 5)).astype(np.float32)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.wide(F.silu(self.narrow(x.mean((2, 3), keepdim=True)))))


class Convolutions(nn.Module):
    """A normalisation with gains of both signs, a depthwise kernel, a gate, a sum of two ways, a pooling."""

    def __init__(self, act):
        super().__init__()
        self.act, self.gate = act, Gate(8)
        self.first, self.norm = nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8)
        self.depthwise, self.last, self.head = nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 8, 1), nn.Linear(8, 5)
        for values in (self.norm.running_mean, self.norm.weight.data, self.norm.bias.data):
            values.normal_()

    def forward(self, x):
        x = self.act(self.norm(self.first(x)))
        x = x + self.last(self.gate(self.act(self.depthwise(x))))
        return self.head(F.max_pool2d(x, 3, 2, 1).mean((2, 3)))


class Transformer(nn.Module):
    """Patches, a class token, two blocks of torch's own, a head."""

    def __init__(self):
        super().__init__()
        self.patches, self.norm, self.head = nn.Conv2d(3, 16, 8, 8), nn.LayerNorm(16), nn.Linear(16, 5)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 16)), nn.Parameter(torch.randn(1, 17, 16) / 10)
        how = {"activation": "gelu", "batch_first": True, "dropout": 0, "norm_first": True}
        self.blocks = nn.Sequential(*(nn.TransformerEncoderLayer(16, 2, 32, **how) for _ in range(2)))

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


NETWORKS = {
    "relu": lambda: Convolutions(F.relu),
    "silu": lambda: Convolutions(F.silu),
    "hardswish": lambda: Convolutions(F.hardswish),
    "gelu": lambda: Convolutions(F.gelu),
    "transformer": Transformer,
}
OPTIONS = {
    "exact": {},
    "ratio": {"slope": "ratio"},
    "secant": {"slope": "secant"},
    "stop": {"norms": "stop"},
    "half": {"products": "half"},
    "together": {"slope": "ratio", "norms": "stop", "products": "half"},
}
METHODS = {
    "epsilon_plus_flat": LRP(composite="epsilon_plus_flat"),
    "epsilon_alpha2_beta1": LRP(composite="epsilon_alpha2_beta1"),
    "epsilon_gamma_box": LRP(composite="epsilon_gamma_box"),
    "deep_lift": DeepLIFT(),
    "attn_lrp": AttnLRP(),
}


@pytest.fixture(scope="module", params=NETWORKS)
def models(request):
    """The same network on both backends."""
    torch.manual_seed(0)
    net, buffer = NETWORKS[request.param]().eval(), io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's older exporter
        torch.onnx.export(
            net, torch.tensor(X), buffer, dynamo=False, input_names=["x"], opset_version=17,
            dynamic_axes={"x": {0: "N"}},
        )  # fmt: skip
    by_torch = wrap(net, preprocess=None, input_shape=(3, 32, 32))
    return by_torch, wrap(onnx.load_from_string(buffer.getvalue()), preprocess=None)


@pytest.mark.parametrize("option", OPTIONS)
def test_gradients_by_a_rule_are_those_of_torch(models, option):
    want, got = (m.modified(**OPTIONS[option]).vjp(X, {OUTPUT: DY}).gradients[INPUT] for m in models)
    by = 2e-5 if option == "secant" else 1e-5  # quotients of small differences round in float32
    assert np.linalg.norm(got - want) < by * np.linalg.norm(want)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("method", METHODS)
def test_relevance_is_that_of_torch(models, method):
    want, got = (METHODS[method](model, X[:2], 1) for model in models)
    distance = np.linalg.norm(np.asarray(got.values) - np.asarray(want.values))
    assert distance < 2e-5 * np.linalg.norm(np.asarray(want.values))
    for name, figures in want.figures().items():
        np.testing.assert_allclose(got.figures()[name], figures, rtol=1e-3, atol=1e-4, err_msg=name)
