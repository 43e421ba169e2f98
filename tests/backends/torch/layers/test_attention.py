"""Attention's weights as layers, however a torch network computes them."""

import crosslens
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

TOKENS, WIDTH, HEADS = 10, 8, 2


class Block(nn.Module):
    """Patches of a 6 x 6 image, a class token, one attention, a head on the class token."""

    def __init__(self, way):
        super().__init__()
        torch.manual_seed(0)
        self.way = way
        self.patch = nn.Conv2d(3, WIDTH, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True)
        self.softmax = nn.Softmax(dim=-1)
        self.head = nn.Linear(WIDTH, 5)
        self.attend.in_proj_weight.data *= 4

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], dim=1)
        return self.head((x + self.attended(x))[:, 0])

    def attended(self, x):
        if self.way.startswith("module"):
            return self.attend(x, x, x, need_weights=self.way.endswith("weights"))[0]
        q, k, v = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in functional.linear(x, self.attend.in_proj_weight, self.attend.in_proj_bias).chunk(3, dim=2)
        )
        if self.way == "fused":
            y = functional.scaled_dot_product_attention(q, k, v)
        else:
            scores = q @ k.mT / (WIDTH // HEADS) ** 0.5
            y = {"softmax": self.softmax, "method": lambda s: s.softmax(-1)}[self.way](scores) @ v
        return self.attend.out_proj(y.transpose(1, 2).flatten(2))


WAYS = {
    "module": "attend/attention",
    "module with weights": "attend/attention",
    "fused": "/attention",
    "method": "/attention",
    "softmax": "softmax",
}


def images():
    return np.random.default_rng(0).random((2, 3, 6, 6), dtype=np.float32)


def weights_by_hand(net):
    """Equation 1 of Vaswani et al., with the projections of `nn.MultiheadAttention`'s documentation."""
    x = net.patch(torch.from_numpy(images())).flatten(2).transpose(1, 2)
    x = torch.cat([net.token.expand(2, -1, -1), x], dim=1)
    q, k, _ = (x @ net.attend.in_proj_weight.T + net.attend.in_proj_bias).chunk(3, dim=2)
    found = []
    for h in range(HEADS):
        part = slice(4 * h, 4 * h + 4)
        e = torch.exp(q[..., part] @ k[..., part].mT / 2.0)
        found.append(e / e.sum(-1, keepdim=True))
    return torch.stack(found, 1).detach().numpy()


@pytest.fixture(params=WAYS)
def case(request):
    net = Block(request.param).eval()
    return net, crosslens.wrap(net, preprocess=None, input_shape=(3, 6, 6)), WAYS[request.param]


def test_the_weights_are_a_layer_with_the_values_of_the_definition(case):
    net, model, name = case
    assert model.layers[name].shape == (None, HEADS, TOKENS, TOKENS)
    np.testing.assert_allclose(model.forward(images(), [name])[name], weights_by_hand(net), rtol=1e-4, atol=1e-6)


def test_showing_them_changes_no_output(case):
    net, model, name = case
    with torch.no_grad():
        expected = net(torch.from_numpy(images())).numpy()
    got = model.forward(images(), [name, crosslens.OUTPUT])[crosslens.OUTPUT]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_the_gradient_at_the_weights_is_the_output_s_slope(case):
    _, model, name = case
    seed = np.eye(5, dtype=np.float32)[[1, 3]]
    found = model.vjp(images(), {crosslens.OUTPUT: seed}, wrt=[name], capture=[name])
    a, step = found.activations[name], np.random.default_rng(1).normal(size=(2, HEADS, TOKENS, TOKENS))
    up, down = (
        (model.forward(images(), replace={name: (a + s * step).astype(np.float32)})[crosslens.OUTPUT] * seed).sum(1)
        for s in (0.1, -0.1)
    )
    np.testing.assert_allclose((found.gradients[name] * step).sum((1, 2, 3)), (up - down) / 0.2, rtol=1e-3)


def test_a_softmax_over_channels_of_maps_is_no_attention():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Softmax(dim=1), nn.Flatten(), nn.Linear(144, 5))
    model = crosslens.wrap(net.eval(), preprocess=None, input_shape=(3, 6, 6))
    assert [layer.kind for layer in model.layers.values()] == [
        "Input",
        "Conv2d",
        "Softmax",
        "Flatten",
        "Linear",
        "Output",
    ]
