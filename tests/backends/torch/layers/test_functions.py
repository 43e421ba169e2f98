"""What functions compute is a layer, as functions and in place: names, values and gradients as autograd has them."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens import INPUT, OUTPUT
from crosslens.occlusion import occluded
from torch import nn
from torch.nn import functional


class Functional(nn.Module):
    """Two blocks whose activations, sums and pooling are functions, operators and methods, some in place."""

    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.bn = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1), nn.BatchNorm2d(4)
        self.block, self.fc = Block(), nn.Linear(8, 5)

    def forward(self, x):
        x = functional.relu(self.c1(x))
        y = functional.relu(self.bn(self.c2(x)), inplace=True) * 2
        y += x
        y.sigmoid_()
        y = self.block(self.block(y))
        y = torch.cat([y, y.tanh()], 1)
        return self.fc(functional.dropout(y.mean((2, 3)), training=self.training))

    def by_hand(self, x):
        """Every layer's values, without modules' calls and without in-place functions."""
        found = {INPUT: x}
        found["c1"] = functional.conv2d(x, self.c1.weight, self.c1.bias, 2, 1)
        found["/relu"] = x = found["c1"].clamp(min=0)
        found["c2"] = functional.conv2d(x, self.c2.weight, self.c2.bias, 1, 1)
        scale = self.bn.weight / torch.sqrt(self.bn.running_var + self.bn.eps)
        found["bn"] = (found["c2"] - self.bn.running_mean[:, None, None]) * scale[:, None, None]
        found["bn"] = found["bn"] + self.bn.bias[:, None, None]
        found["/relu#2"] = found["bn"].clamp(min=0)
        found["/mul"] = 2 * found["/relu#2"]
        found["/add"] = found["/mul"] + x
        found["/sigmoid"] = y = 1 / (1 + torch.exp(-found["/add"]))
        for turn in ("", "#2"):
            found[f"block.conv{turn}"] = functional.conv2d(y, self.block.conv.weight, self.block.conv.bias, 1, 1)
            found[f"block/silu{turn}"] = found[f"block.conv{turn}"] * torch.sigmoid(found[f"block.conv{turn}"])
            found[f"block{turn}"] = y = found[f"block/silu{turn}"] + y
        found["/tanh"] = torch.tanh(y)
        found["/cat"] = torch.stack([*y.unbind(1), *found["/tanh"].unbind(1)], 1)
        found["/mean"] = found["/cat"].sum((2, 3)) / y[0, 0].numel()
        found["fc"] = found[OUTPUT] = found["/mean"] @ self.fc.weight.T + self.fc.bias
        return found


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, 1, 1)

    def forward(self, x):
        return functional.silu(self.conv(x), inplace=True) + x


LAYERS = "c1 /relu c2 bn /relu#2 /mul /add /sigmoid block.conv block/silu block block.conv#2 block/silu#2 block#2"
LAYERS = [*LAYERS.split(), "/tanh", "/cat", "/mean", "fc"]


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    net = Functional()
    net.bn.running_mean.uniform_(-0.5, 0.5)
    net.bn.weight.data.uniform_(1.0, 2.0)
    return net.eval()


@pytest.fixture(params=["module", "program"], scope="module")
def model(net, request):
    network = net
    if request.param == "program":
        free = ({0: torch.export.Dim("N", min=1, max=64)},)
        network = torch.export.export(net, (torch.zeros(2, 3, 12, 10),), dynamic_shapes=free)
    return crosslens.wrap(network, preprocess=None, input_shape=(3, 12, 10))


def images(count=3):
    return np.random.default_rng(0).random((count, 3, 12, 10), np.float32)


def by_hand(net, cotangents, wrt):
    x = torch.from_numpy(images()).requires_grad_()
    found = net.by_hand(x)
    total = sum((found[name] * torch.from_numpy(c)).sum() for name, c in cotangents.items())
    gradients = torch.autograd.grad(total, [found[name] for name in wrt], allow_unused=True)
    zero = [torch.zeros_like(found[name]) if g is None else g for name, g in zip(wrt, gradients, strict=True)]
    return {name: a.detach().numpy() for name, a in found.items()}, {
        name: g.numpy() for name, g in zip(wrt, zero, strict=True)
    }


def cotangents_at(net, *names):
    rng, shapes = np.random.default_rng(1), by_hand(net, {OUTPUT: np.ones((3, 5), np.float32)}, [INPUT])[0]
    return {name: rng.standard_normal(shapes[name].shape).astype(np.float32) for name in names}


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_layers_are_what_modules_return_and_functions_compute(model):
    assert list(model.layers) == [INPUT, *LAYERS, OUTPUT]
    kinds = {name: layer.kind for name, layer in model.layers.items()}
    assert (kinds["/relu#2"], kinds["/cat"], kinds["block/silu"], kinds["block"]) == ("relu", "cat", "silu", "Block")


def test_what_a_module_returns_goes_by_the_function_s_name_too(model):
    assert model.layer("block/add").name == "block"
    assert model.layer("block/add#2").name == "block#2"


def test_values_are_those_before_what_overwrites_them(model, net):
    expected, _ = by_hand(net, cotangents_at(net, OUTPUT), [INPUT])
    for name, values in model.forward(images(), [*LAYERS, OUTPUT]).items():
        close(values, expected[name])


def test_one_layer_alone_has_the_values_that_it_has_among_all(model):
    for layer, values in model.forward(images(), LAYERS).items():
        close(model.forward(images(), [layer])[layer], values)


def test_gradients_are_those_of_autograd_by_hand(model, net):
    cotangents = cotangents_at(net, OUTPUT, "/relu#2", "block/silu", "/tanh")
    wrt = [INPUT, *(name for name in LAYERS if name != "fc")]
    _, expected = by_hand(net, cotangents, wrt)
    got = model.vjp(images(), cotangents, wrt=wrt).gradients
    for name in wrt:
        close(got[name], expected[name])
    for name in wrt:
        close(model.vjp(images(), cotangents, wrt=[name]).gradients[name], expected[name])


@pytest.mark.parametrize(
    "layer", ["/relu", "bn", "/relu#2", "/add", "/sigmoid", "block/silu#2", "block", "/cat", "/mean"]
)
def test_replacing_runs_on_from_the_given_values(model, net, layer):
    """To first order, and for a step small enough: the output changes by the layer's gradient times the step."""
    expected, _ = by_hand(net, cotangents_at(net, OUTPUT), [INPUT])
    step = 1e-2 * np.random.default_rng(2).standard_normal(expected[layer].shape).astype(np.float32)
    seed = np.eye(5, dtype=np.float32)[[0, 1, 2]]
    slope = by_hand(net, {OUTPUT: seed}, [layer])[1][layer]
    for _ in range(5):  # the fourth pass from given values on runs in a recorded graph
        up, down = (
            (model.forward(images(), [OUTPUT], replace={layer: expected[layer] + s * step})[OUTPUT] * seed).sum()
            for s in (1, -1)
        )
        np.testing.assert_allclose((up - down) / 2, (slope * step).sum(), rtol=2e-2, atol=2e-5)
        kept = model.forward(images(), [layer], replace={layer: step})[layer]
        np.testing.assert_array_equal(kept, step)


def test_reads_name_functions(model):
    assert model.reads("/add") == ("/mul", "/relu")
    assert model.reads("/relu#2") == ("bn",)
    assert model.reads("/cat") == ("block#2", "/tanh")
    assert model.reads("fc") == ("/mean",)
    assert model.reads("/relu") == ("c1",)
    assert set(model.upstream(["/relu#2"])) == {"c1", "/relu", "c2", "bn", "/relu#2"}


def test_functions_have_no_weights(model):
    assert not model.weights("/cat")


def test_other_weights_keep_the_layers(model):
    other = model.randomised(["fc", "block.conv"], 1)
    assert list(other.layers) == list(model.layers)
    x = images()
    assert np.abs(other.forward(x, ["/tanh"])["/tanh"] - model.forward(x, ["/tanh"])["/tanh"]).max() > 1e-3
    np.testing.assert_array_equal(other.forward(x, ["/add"])["/add"], model.forward(x, ["/add"])["/add"])


@pytest.mark.parametrize("layer", ["/relu#2", "/cat", OUTPUT])
def test_a_map_of_boxes_is_that_of_whole_images(net, layer):
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 24, 24))
    x = np.random.default_rng(3).random((1, 3, 24, 24), np.float32)
    boxes = np.array([[r, r + 4, c, c + 4] for r in range(0, 24, 3)[:7] for c in range(0, 24, 2)[:10]])
    parts = occluded(model, x, np.zeros_like(x), boxes, [layer])
    for which, values in parts:
        for place, value in zip(which, values[layer], strict=True):
            top, bottom, left, right = boxes[place]
            covered = x.copy()
            covered[:, :, top:bottom, left:right] = 0
            close(value, model.forward(covered, [layer])[layer][0])


def test_statements_that_overwrite_are_replaced_and_differentiated():
    """`x.relu_()` as a statement: the network goes on with x, whatever the call returned."""

    class Statement(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

        def forward(self, x):
            x = self.conv(x)
            x.relu_()
            x.mul_(2.0)
            return self.fc(x.mean((2, 3)))

    torch.manual_seed(0)
    net = Statement().eval()
    model = crosslens.wrap(net, preprocess=None, input_shape=(3, 12, 10))
    seed = np.ones((3, 2), np.float32)
    flow = net.fc.weight.sum(0).detach().numpy()[None, :, None, None] / 80 * np.ones((3, 4, 10, 8), np.float32)
    got = model.vjp(images(), {OUTPUT: seed}, wrt=["/relu", "/mul", "conv"]).gradients
    close(got["/mul"], flow)
    close(got["/relu"], 2 * flow)
    close(got["conv"], 2 * flow * (model.forward(images(), ["conv"])["conv"] > 0))
    given = np.full((3, 4, 10, 8), 0.5, np.float32)
    y = model.forward(images(), [OUTPUT], replace={"/relu": given})[OUTPUT]
    close(y, net.fc(torch.ones(3, 4)).detach().numpy())


def test_no_mode_is_entered_for_modules_alone(model, monkeypatch):
    def refuse(*_):
        raise AssertionError("a mode was entered")

    monkeypatch.setattr("torch.overrides.TorchFunctionMode.__enter__", refuse)
    model.vjp(images(), {OUTPUT: np.ones((3, 5), np.float32)}, wrt=[INPUT, "bn", "block"], capture=["c1"])
