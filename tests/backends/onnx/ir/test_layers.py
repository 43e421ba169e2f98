"""Where the channels of a map lie, found out: layers are channels-first whatever the file stores."""

import io
import warnings

import crosslens
import numpy as np
import onnx
import torch
from torch import nn

X = np.random.default_rng(0).random((2, 3, 16, 24), np.float32)


class Block(nn.Module):
    """As in ConvNeXt: a normalisation and two linear layers over channels that lie last, then back."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 16, 4, 4), nn.LayerNorm(16)
        self.wide, self.narrow, self.head = nn.Linear(16, 32), nn.Linear(32, 16), nn.Linear(16, 5)

    def inner(self, x):
        return torch.nn.functional.gelu(self.wide(self.norm(x.permute(0, 2, 3, 1))))

    def forward(self, x):
        x = self.conv(x)
        return self.head((x + self.narrow(self.inner(x)).permute(0, 3, 1, 2)).mean((2, 3)))


def wrapped(net):
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net.eval(), (torch.zeros(1, *X.shape[1:]),), buffer, dynamo=False, input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
        )  # fmt: skip
    return crosslens.wrap(onnx.load_from_string(buffer.getvalue()), preprocess=None)


def test_linear_layers_over_the_last_axis_have_their_channels_first():
    torch.manual_seed(0)
    net = Block()
    model = wrapped(net)
    (layer,) = (name for name, each in model.layers.items() if each.kind == "Gelu")
    assert model.layers[layer].shape == (None, 32, 4, 6)
    want = net.inner(net.conv(torch.from_numpy(X))).permute(0, 3, 1, 2).detach().numpy()
    np.testing.assert_allclose(model.forward(X, [layer])[layer], want, rtol=1e-4, atol=1e-5)
    assert {each.shape[2:] for each in model.layers.values() if each.has_maps} == {(16, 24), (4, 6)}


def test_grad_cam_there_is_the_one_of_torch():
    torch.manual_seed(0)
    net = Block()
    model = wrapped(net)
    (layer,) = (name for name, each in model.layers.items() if each.kind == "Gelu")
    maps = net.inner(x := net.conv(torch.from_numpy(X)))
    maps.retain_grad()
    scores = net.head((x + net.narrow(maps).permute(0, 3, 1, 2)).mean((2, 3)))
    scores[:, 2].sum().backward()
    want = torch.relu((maps.grad.mean((1, 2), keepdim=True) * maps).sum(3)).detach().numpy()
    got = crosslens.method("grad_cam", layer=layer)(model, X, target=2).values
    np.testing.assert_allclose(got, want, rtol=1e-3, atol=1e-6)
