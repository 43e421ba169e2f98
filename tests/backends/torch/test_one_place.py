"""A network of functions and its ONNX file are explained at one place, with one answer; layouts are found out."""

import crosslens
import numpy as np
import onnx
import pytest
import torch
from crosslens import OUTPUT
from crosslens.introspection.default_layer import last_maps
from crosslens.introspection.layer_scales import rectified_scales
from crosslens.methods.gradient._unpooling import max_poolings
from torch import nn
from torch.nn import functional

from benchmarks.networks import exported, swin


class Functional(nn.Module):
    """Activations and pooling as functions, one in place."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.bn = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 32, 3, 2, 1), nn.BatchNorm2d(32)
        self.fc = nn.Linear(32, 10)
        self.bn.running_mean.uniform_(-0.2, 0.2)
        self.bn.running_var.uniform_(0.1, 0.4)

    def forward(self, x):
        x = functional.relu(self.c1(x))
        x = functional.relu(self.bn(self.c2(x)), inplace=True)
        return self.fc(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class ChannelsLast(nn.Module):
    """Maps (N, H, W, C) from the first permutation to the head."""

    def __init__(self):
        super().__init__()
        self.c, self.norm, self.head = nn.Conv2d(3, 16, 4, 4), nn.LayerNorm(16), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.norm(self.c(x).permute(0, 2, 3, 1)).sigmoid().mean((1, 2)))


def images(size=32):
    return np.random.default_rng(0).random((2, 3, size, size), np.float32)


@pytest.fixture(scope="module", params=[Functional, ChannelsLast])
def pair(request, tmp_path_factory):
    """A network, wrapped, and its ONNX file."""
    torch.manual_seed(0)
    net = request.param().eval()
    path = tmp_path_factory.mktemp("files") / "net.onnx"
    onnx.save(exported(net, shape=(3, 32, 32)), path)
    return net, crosslens.wrap(net, input_shape=(3, 32, 32)), crosslens.wrap(path)


@pytest.mark.parametrize("method", ["grad_cam", "layer_cam", "eigen_cam", "cam"])
def test_class_activation_maps_are_those_of_the_onnx_file(pair, method):
    _, torch_model, onnx_model = pair
    got, expected = (crosslens.method(method)(m, images(), target=2).values for m in (torch_model, onnx_model))
    assert got.shape == (2, 8, 8)
    assert expected.max() > 0
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_grad_cam_is_that_of_autograd_by_hand(pair):
    net, model, _ = pair
    gain, offset = (torch.from_numpy(v)[:, None, None].float() for v in model.preprocess.affine(3))
    x = torch.from_numpy(images()) * gain + offset
    with torch.no_grad():
        if isinstance(net, Functional):
            maps = net.bn(net.c2(net.c1(x).clamp(min=0))).clamp(min=0)
        else:
            maps = torch.sigmoid(net.norm(net.c(x).movedim(1, 3))).movedim(3, 1)
    head = net.fc if isinstance(net, Functional) else net.head
    expected = torch.einsum("nchw,c->nhw", maps, head.weight[2] / 64).clamp(min=0).detach().numpy()
    got = crosslens.method("grad_cam", layer=last_maps(model))(model, images(), target=2).values
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_compare_finds_no_difference(pair):
    _, torch_model, onnx_model = pair
    compared = crosslens.compare([torch_model, onnx_model], crosslens.method("grad_cam"), images(), target=2)
    for row in compared.rows():
        assert row["correlation"] > 1 - 1e-5


def test_values_given_and_gradients_have_the_layer_s_layout():
    """Replacing the maps by ones at one channel gives the head's column of that channel."""
    torch.manual_seed(0)
    net = ChannelsLast().eval()
    model = crosslens.wrap(net, input_shape=(3, 32, 32))
    layers = ["c", "/permute", "norm", "/sigmoid"]
    assert {model.layers[name].shape for name in layers} == {(None, 16, 8, 8)}
    given = np.zeros((2, 16, 8, 8), np.float32)
    given[:, 3] = 1
    y = model.forward(images(), [OUTPUT], replace={"/sigmoid": given})[OUTPUT]
    expected = (net.head.bias + net.head.weight[:, 3]).detach().numpy()
    np.testing.assert_allclose(y, [expected] * 2, rtol=1e-5)
    seed = np.eye(5, dtype=np.float32)[[1, 1]]
    flow = model.vjp(images(), {OUTPUT: seed}, wrt=["/sigmoid"]).gradients["/sigmoid"]
    np.testing.assert_allclose(
        flow, np.broadcast_to(net.head.weight[1].detach().numpy()[:, None, None] / 64, flow.shape)
    )
    seed = np.zeros_like(given)
    seed[:, 5] = 1
    slope = model.vjp(images(), {"norm": seed}, wrt=["norm"]).gradients["norm"]
    np.testing.assert_array_equal(slope, seed)


def test_windows_of_attention_are_no_maps_and_maps_around_them_are_channels_first():
    net = swin(5, 0.125, 0.2, 64, 2).eval()
    model = crosslens.wrap(net, input_shape=(3, 64, 64))
    shapes = {name: layer.shape for name, layer in model.layers.items()}
    assert shapes["patches"] == shapes["norm0"] == shapes["blocks.0"] == (None, 16, 16, 16)
    assert "blocks.0.attention.qkv" not in shapes  # (N * 64 windows, 4, 48)
    assert last_maps(model) == "norm"
    kept = {}
    net.norm.register_forward_hook(lambda *args: kept.update(maps=args[2]))
    got = model.forward(images(64), ["norm"])["norm"]
    np.testing.assert_array_equal(got, kept["maps"].detach().permute(0, 3, 1, 2).numpy())


class TimeFirst(nn.Module):
    """Steps (T, N, D) of which there are as many as images in the pass that lists layers: two."""

    def __init__(self, steps):
        super().__init__()
        self.conv, self.lstm = nn.Conv2d(3, 4, (8, 8 // steps), 8 // steps), nn.LSTM(4, 6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        steps = torch.relu(self.conv(x)).flatten(2).permute(2, 0, 1)
        steps = torch.tanh(self.fc(self.lstm(steps)[0]))
        return steps.mean(0)


@pytest.mark.parametrize("steps", [2, 4])
def test_what_has_time_first_is_no_layer(steps):
    model = crosslens.wrap(TimeFirst(steps).eval(), preprocess=None, input_shape=(3, 8, 8))
    assert list(model.layers)[1:-1] == ["conv", "/relu", "/flatten", "/mean"]


def test_constants_are_no_layers():
    class Placed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.places = nn.Conv2d(3, 4, 4, 4), nn.Parameter(torch.randn(1, 4, 2, 2))

        def forward(self, x):
            places = torch.cat([self.places * 2] * len(x))
            return (self.conv(x) + places + torch.zeros(len(x), 4, 1, 1)).mean((2, 3))

    model = crosslens.wrap(Placed().eval(), preprocess=None, input_shape=(3, 8, 8))
    assert list(model.layers)[1:-1] == ["conv", "/add", "/add#2", "/mean"]


def test_max_pooling_and_gates_are_known_as_functions_too():
    """What methods find by a layer's kind: the pooling's window, and that a gate holds no rectified maps."""

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.c1, self.c2 = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

        def forward(self, x):
            x = functional.max_pool2d(functional.relu(self.c1(x)), 2)
            return (x * torch.sigmoid(self.c2(x))).mean((2, 3))

    torch.manual_seed(0)
    model = crosslens.wrap(Gated().eval(), preprocess=None, input_shape=(3, 16, 16))
    names = ["c1", "/relu", "/max_pool2d"]
    (pooling,) = max_poolings(model, model.forward(images(16), names))
    assert (pooling.layer, pooling.before, pooling.kernel, pooling.stride) == ("/max_pool2d", "/relu", 2, 2)
    assert [name for names in rectified_scales(model, images(16)[:1]) for name in names] == ["/relu", "/mul"]


def test_what_has_time_first_is_no_layer_of_a_program_for_that_many_images_either():
    """Two steps, and a program exported for two images: the number of rows tells nothing, the permutation does."""

    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, (8, 4), 4), nn.Linear(4, 5)

        def forward(self, x):
            return torch.tanh(self.fc(torch.relu(self.conv(x)).flatten(2).permute(2, 0, 1))).mean(0)

    program = torch.export.export(Steps().eval(), (torch.zeros(2, 3, 8, 8),))
    model = crosslens.wrap(program, preprocess=None)
    assert list(model.layers)[1:-1] == ["conv", "/relu", "/flatten", "/mean"]
