"""AttnLRP against its propositions: on a small transformer by plain autograd in float64, factors held constant."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError, TargetError
from crosslens.objective import probability
from crosslens.testing import TinyModel
from torch import nn
from torch.nn import functional

X = np.random.default_rng(0).random((3, 3, 8, 8)).astype(np.float32)
TOKENS, WIDTH, HEADS = 17, 8, 2


class Transformer(nn.Module):
    """Patches, a class token, one block with attention and a GELU network, both behind layer norms, and a head."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, WIDTH, 2, stride=2)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH) * 0.5)
        self.places = nn.Parameter(torch.randn(1, TOKENS, WIDTH) * 0.5)
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in range(3)])
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.wide, self.narrow = nn.Linear(WIDTH, 16), nn.Linear(16, WIDTH)
        self.head = nn.Linear(WIDTH, 5)

    def norm(self, number, x):
        return self.norms[number](x)

    def softmax(self, x):
        return x.softmax(dim=-1)

    def product(self, a, b):
        return a @ b

    def activation(self, x):
        return functional.gelu(x)

    def linear(self, layer, x):
        return layer(x)

    def embed(self, x):
        return self.linear(self.patches, x).flatten(2).transpose(1, 2)

    def forward(self, x):
        x = self.embed(x)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1) + self.places
        q, k, v = self.linear(self.qkv, self.norm(0, x)).reshape(len(x), TOKENS, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        weights = self.softmax(self.product(q, k.transpose(-1, -2)) / 2)
        mixed = self.product(weights, v).transpose(1, 2).reshape(len(x), TOKENS, WIDTH)
        x = x + self.linear(self.out, mixed)
        x = x + self.linear(self.narrow, self.activation(self.linear(self.wide, self.norm(1, x))))
        return self.linear(self.head, self.norm(2, x)[:, 0])


class ByTheRules(Transformer):
    """Gradient x input of this is AttnLRP: what the propositions hold constant is detached."""

    epsilon, gamma = 0.0, 0.0

    def norm(self, number, x):
        """Proposition 3.4."""
        layer, centred = self.norms[number], x - x.mean(-1, keepdim=True)
        deviation = (x.var(-1, keepdim=True, unbiased=False) + layer.eps).sqrt().detach()
        return centred / deviation * layer.weight + layer.bias

    def product(self, a, b):
        """Proposition 3.3: each factor has half of the relevance."""
        return (a.detach() @ b + a @ b.detach()) / 2

    def activation(self, x):
        """The identity rule."""
        return x * (functional.gelu(x) / x).detach()

    def linear(self, layer, x):
        """R_i = x_i w'_ij / (z'_j + epsilon sign z'_j) R_j: z, with z'(x) z / (z' + ...) for its gradient."""
        z = layer(x)
        gained = self._gained(layer, x, z) if self.gamma else z
        passed = gained * (z / (gained + self.epsilon * torch.where(gained < 0, -1, 1))).detach()
        return z.detach() + passed - passed.detach()

    def _gained(self, layer, x, z):
        """Contributions of the output's sign count 1 + gamma times; inputs of either sign."""

        def with_weights(weight, bias, x):
            convolve = isinstance(layer, nn.Conv2d)
            return functional.conv2d(x, weight, bias, layer.stride) if convolve else functional.linear(x, weight, bias)

        w, b, above, below = layer.weight, layer.bias, x.clamp(min=0), x.clamp(max=0)
        plus, minus = self.gamma * w.clamp(min=0), self.gamma * w.clamp(max=0)
        up = with_weights(w + plus, b + self.gamma * b.clamp(min=0), above) + with_weights(w + minus, None, below)
        down = with_weights(w + minus, b + self.gamma * b.clamp(max=0), above) + with_weights(w + plus, None, below)
        return torch.where(z.detach() > 0, up, down)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return Transformer().eval()


def by_the_propositions(network, k, epsilon, gamma=0.0):
    slow = ByTheRules().double().eval()
    slow.load_state_dict({name: value.double() for name, value in network.state_dict().items()})
    slow.epsilon, slow.gamma = epsilon, gamma
    x = torch.tensor(X).double().requires_grad_()
    scores = slow(x)[:, k]
    scores.sum().backward()
    return (x * x.grad).detach().numpy(), scores.detach().numpy()


@pytest.mark.parametrize("epsilon", [0.0, 1e-6, 0.1])
def test_a_transformer_has_the_papers_rules(network, epsilon):
    model = crosslens.wrap(network, input_shape=(3, 8, 8), preprocess=None)
    found = crosslens.method("attn_lrp", preset="lxt", epsilon=epsilon)(model, X, 1)
    expected, scores = by_the_propositions(network, 1, epsilon)
    np.testing.assert_allclose(found.values, expected, atol=1e-4 * abs(expected).max())
    np.testing.assert_allclose(found.start, scores, rtol=1e-4)
    maps = crosslens.method("attn_lrp", epsilon=epsilon)(model, X, 1).values
    np.testing.assert_allclose(maps, expected.sum(axis=1), atol=1e-4 * abs(expected).max())


def test_gamma_is_a_rule_of_dense_layers_and_of_convolutions(network):
    model = crosslens.wrap(network, input_shape=(3, 8, 8), preprocess=None)
    settings = {"gamma_dense": 0.25, "gamma_convolution": 0.25, "per_channel": True}
    found = crosslens.method("attn_lrp", **settings)(model, X, 1).values
    expected, _ = by_the_propositions(network, 1, 1e-6, 0.25)
    np.testing.assert_allclose(found, expected, atol=1e-4 * abs(expected).max())
    plain, _ = by_the_propositions(network, 1, 1e-6)
    assert abs(expected - plain).max() > 0.01 * abs(plain).max()


def test_softmax_and_products_have_their_published_rules():
    """lxt: x (R - s sum R), and matmul R / (2 y) times each factor."""
    rng = np.random.default_rng(0)
    x, relevance = torch.tensor(rng.normal(size=6)).requires_grad_(), torch.tensor(rng.normal(size=6))
    s = x.softmax(0)
    s.backward((relevance / s).detach())
    np.testing.assert_allclose(
        (x * x.grad).detach(), (x * (relevance - s * relevance.sum())).detach(), rtol=1e-9
    )  # what "the usual gradient" means in relevance
    a, b = (torch.tensor(rng.normal(size=(3, 3))).requires_grad_() for _ in range(2))
    given = torch.tensor(rng.normal(size=(3, 3)))
    y = ByTheRules.product(None, a, b)
    y.backward((given / y).detach())
    expected = torch.einsum("ij,jk,ik->ij", a, b, given / (2 * a @ b))
    np.testing.assert_allclose((a * a.grad).detach(), expected.detach(), rtol=1e-9)


def test_a_convolutional_network_has_the_epsilon_rule():
    net = TinyModel(relu=True)
    found = crosslens.method("attn_lrp")(net, X, 2).values
    expected = crosslens.method("lrp", composite="epsilon")(net, X, 2).values
    np.testing.assert_allclose(found, expected, atol=1e-7)
    one = crosslens.method("attn_lrp", through=("act2:1,4",), layer="act1", per_channel=True)(net, X, 2).values
    same = crosslens.method("lrp", composite="epsilon", through=("act2:1,4",), layer="act1", per_channel=True)(
        net, X, 2
    )
    np.testing.assert_allclose(one, same.values, atol=1e-7)


def test_a_channel_that_is_not_there_is_refused():
    with pytest.raises(LayerError, match=r"layer 'act2' has 6 channels, counted from 0; there is no channel 9"):
        crosslens.method("attn_lrp", through=("act2:9",))(TinyModel(), X)


def test_a_probability_is_refused():
    with pytest.raises(TargetError, match="attn_lrp shares out a logit, and this target is read after a softmax"):
        crosslens.method("attn_lrp")(TinyModel(), X, probability(1))
