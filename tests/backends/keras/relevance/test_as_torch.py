"""The same network with the same weights in torch: each rule, and what methods make of them, is the same."""

import crosslens
import keras
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from torch import nn
from torch.nn.functional import gelu, max_pool2d, relu, relu6, scaled_dot_product_attention, silu

L = keras.layers
X = np.random.default_rng(0).uniform(0, 1, (4, 3, 8, 8)).astype(np.float32)
DY = np.random.default_rng(1).standard_normal((4, 3)).astype(np.float32)


class Network(nn.Module):
    """Batch normalisation, groups, a gate, pooling, attention on tokens, layer normalisation."""

    def __init__(self):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8, eps=1e-3)
        self.c2, self.gate = nn.Conv2d(8, 8, 3, padding=1, groups=2), nn.Linear(8, 8)
        self.dw, self.ln1, self.ln2 = (
            nn.Conv2d(8, 8, 3, padding=1, groups=8),
            nn.LayerNorm(8, eps=1e-3),
            nn.LayerNorm(8, eps=1e-3),
        )
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.f, self.head = nn.Linear(8, 6), nn.Linear(6, 3)
        for values in (self.b1.weight, self.b1.bias):
            nn.init.normal_(values)
        self.b1.running_mean.normal_()
        self.b1.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = gelu(self.b1(self.c1(x)))
        y = relu6(self.c2(x))
        y = y * torch.sigmoid(self.gate(y.mean((2, 3))))[:, :, None, None]
        x = max_pool2d(x + relu(self.dw(y)), 2)
        t = x.permute(0, 2, 3, 1).reshape(len(x), -1, 8)
        n = self.ln1(t)
        q, k, v = (a.reshape(len(x), -1, 2, 4).transpose(1, 2) for a in (self.q(n), self.k(n), self.v(n)))
        t = t + self.o(scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(t.shape))
        return self.head(silu(self.f(self.ln2(t))).mean(1))


def keras_network(net):
    image = keras.Input((8, 8, 3))
    x = L.BatchNormalization(name="b1")(L.Conv2D(8, 3, padding="same", name="c1")(image))
    x = L.Activation("gelu")(x)
    y = L.ReLU(6.0)(L.Conv2D(8, 3, padding="same", groups=2, name="c2")(x))
    y = L.Multiply()([y, L.Dense(8, "sigmoid", name="gate")(L.GlobalAveragePooling2D(keepdims=True)(y))])
    x = L.Add()([x, L.DepthwiseConv2D(3, padding="same", activation="relu", name="dw")(y)])
    t = L.Reshape((16, 8))(L.MaxPooling2D(2)(x))
    n = L.LayerNormalization(name="ln1")(t)
    t = L.Add()([t, L.MultiHeadAttention(2, 4, name="attend")(n, n)])
    t = L.Dense(6, "silu", name="f")(L.LayerNormalization(name="ln2")(t))
    made = keras.Model(image, L.Dense(3, name="head")(L.GlobalAveragePooling1D()(t)))
    values = {name: value.detach().numpy() for name, value in net.state_dict().items()}

    def both(name, kernel):
        return [kernel(values[f"{name}.weight"]), values[f"{name}.bias"]]

    for name in ("c1", "c2"):
        made.get_layer(name).set_weights(both(name, lambda w: w.transpose(2, 3, 1, 0)))
    made.get_layer("dw").set_weights(both("dw", lambda w: w.transpose(2, 3, 0, 1)))
    for name in ("gate", "f", "head"):
        made.get_layer(name).set_weights(both(name, np.transpose))
    for name in ("ln1", "ln2"):
        made.get_layer(name).set_weights(both(name, np.asarray))
    statistics = [values["b1.running_mean"], values["b1.running_var"]]
    made.get_layer("b1").set_weights([*both("b1", np.asarray), *statistics])
    attention = []
    for name in "qkv":
        kernel, bias = both(name, np.transpose)
        attention += [kernel.reshape(8, 2, 4), bias.reshape(2, 4)]
    kernel, bias = both("o", np.transpose)
    made.get_layer("attend").set_weights([*attention, kernel.reshape(2, 4, 8), bias])
    return made


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    net = Network().eval()
    options = {"preprocess": None, "input_shape": (3, 8, 8)}
    return crosslens.wrap(net, **options), crosslens.wrap(keras_network(net), **options)


def same(a, b, rounding=2e-5):
    a, b = (np.asarray(each, np.float64) for each in (a, b))
    np.testing.assert_allclose(b, a, rtol=0, atol=rounding * np.abs(a).max())


OPTIONS = [
    {"slope": "ratio"},
    {"norms": "stop"},
    {"products": "half"},
    {"slope": "ratio", "norms": "stop", "products": "half"},
    {"relu": "guided", "slope": "ratio"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_each_rule_gives_what_it_gives_in_torch(models, options):
    same(*(model.modified(**options).vjp(X, {OUTPUT: DY}).gradients[INPUT] for model in models))


def test_secants_and_deep_lift_are_torchs(models):
    same(*(model.modified(slope="secant").vjp(X, {OUTPUT: DY}).gradients[INPUT] for model in models))
    same(*(crosslens.method("deep_lift")(model, X[:2], target=1).values for model in models))


@pytest.mark.parametrize(
    "composite", ["epsilon", "epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1_flat", "epsilon_gamma_box"]
)
@pytest.mark.filterwarnings("ignore")
def test_each_composite_gives_what_it_gives_in_torch(models, composite):
    one, other = (crosslens.method("lrp", composite=composite)(model, X[:2], target=1) for model in models)
    same(one.values, other.values)
    for name, value in one.figures().items():
        np.testing.assert_allclose(other.figures()[name], value, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["attn_lrp", "excitation_backprop"])
@pytest.mark.filterwarnings("ignore")
def test_other_methods_of_relevance_give_what_they_give_in_torch(models, method):
    same(*(crosslens.method(method)(model, X[:2], target=1).values for model in models))
