"""What relevance finds out about layers: signs, rectifiers, readers, repetitions, folded normalisations."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.relevance import linear_maps
from crosslens.relevance.layer_facts import LayerFacts
from torch import nn
from torch.nn import functional


class Written(nn.Module):
    """A convolution with a positive bias, so that its noise shows no negative value, and what is given after it."""

    def __init__(self, after, channels=4, bias=50.0):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.after = nn.Conv2d(3, channels, 3, padding=1), after
        self.last = nn.Conv2d(channels, 2, 1)
        nn.init.constant_(self.conv.bias, bias)

    def forward(self, x):
        return self.last(self.after(self.conv(x))).mean((2, 3))


def wrapped(net):
    return crosslens.wrap(net.eval(), preprocess=None, input_shape=(3, 6, 6))


def last_map(after, **options):
    return linear_maps(wrapped(Written(after, **options)))[-1]


@pytest.mark.parametrize(
    "after",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        functional.relu,
        nn.ReLU6(),
        nn.Sigmoid(),
        nn.Softplus(),
        nn.Softmax(dim=1),
        nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)),
        nn.Sequential(nn.ReLU(), nn.AvgPool2d(2), nn.Dropout(), nn.Identity()),
        lambda x: torch.relu(x) + torch.sigmoid(x),
        lambda x: torch.cat([torch.relu(x[:, :2]), torch.relu(x[:, 2:])], dim=1),
        lambda x: functional.pad(torch.relu(x), (1, 1, 1, 1)),
    ],
)
def test_what_never_is_negative_is_known_to_be_so(after):
    assert last_map(after).nonnegative


@pytest.mark.parametrize(
    "after",
    [
        nn.Identity(),
        nn.LeakyReLU(),
        nn.PReLU(),
        nn.RReLU(),
        nn.ELU(),
        nn.SELU(),
        nn.CELU(),
        nn.GELU(),
        nn.SiLU(),
        nn.Tanh(),
        nn.MaxPool2d(2),
        lambda x: torch.relu(x) + x,
        lambda x: functional.pad(torch.relu(x), (1, 1, 1, 1), value=-1.0),
        lambda x: torch.relu(x) - 0.1 * torch.relu(-x),
        lambda x: torch.cat([torch.relu(x[:, :2]), x[:, 2:]], dim=1),
        nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)),
    ],
)
def test_what_may_be_negative_on_another_image_is_not_taken_for_more(after):
    """No image of noise shows a negative value here: the bias is 50."""
    assert not last_map(after).nonnegative


def test_the_image_may_be_negative():
    assert not linear_maps(wrapped(Written(nn.ReLU())))[0].nonnegative


@pytest.mark.parametrize(
    ("after", "rectified"),
    [
        (nn.ReLU(), True),
        (functional.relu, True),
        (nn.ReLU6(), True),
        (nn.Sequential(nn.BatchNorm2d(4), nn.ReLU()), True),
        (lambda x: torch.relu(x) + torch.relu(x) * 2, True),
        (nn.LeakyReLU(), False),
        (nn.PReLU(), False),
        (nn.Identity(), False),
        (nn.GELU(), False),
        (lambda x: torch.relu(x) + x, False),
        (lambda x: functional.max_pool2d(x, 2), False),
        (nn.Sequential(nn.MaxPool2d(2), nn.ReLU()), False),
    ],
)
def test_whether_all_that_reads_a_layer_cuts_off_what_is_negative(after, rectified):
    assert linear_maps(wrapped(Written(after)))[0].rectified is rectified


def test_a_layer_where_relevance_begins_is_not_cut_off():
    model = wrapped(Written(nn.ReLU()))
    assert not linear_maps(model, seeds=["conv"])[0].rectified


def test_containers_repeat_what_is_in_them_and_are_no_readers():
    net = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Identity()), nn.ReLU(), nn.Dropout(), nn.Conv2d(4, 2, 4))
    facts = LayerFacts.of(wrapped(net))
    assert {"0", "0.1", "2"} <= set(facts.alias)
    assert facts.alias["0"] == facts.alias["0.1"] == "0.0"
    assert facts.alias["2"] == "1"
    assert facts.readers("0.0") == ("1",)
    assert facts.readers("1") == ("3",)
    assert facts.reads("3") == ("1",)


def test_a_layer_that_two_read_has_both_as_readers():
    facts = LayerFacts.of(wrapped(Written(lambda x: torch.relu(x) + x)))
    relu, total = (name for name in facts.readers("conv") if name not in facts.alias)
    assert facts.readers(relu) == (total,)


class Stems(nn.Module):
    """Two convolutions read the image, one of them by way of a pooling; a third reads both."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(3, 2, 1), nn.Conv2d(3, 2, 1), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = (x - 0.5) / 0.25
        a, b = self.a(functional.max_pool2d(x, 2)), self.b(functional.avg_pool2d(x, 2))
        return self.c(torch.relu(torch.cat([a, b], dim=1))).mean((2, 3))


def test_the_first_layers_are_those_that_no_other_kernel_lies_before():
    assert {each.layer: each.is_first for each in linear_maps(wrapped(Stems()))} == {"a": True, "b": True, "c": False}


def normalisation(kind, channels):
    torch.manual_seed(channels)
    norm = kind(channels, eps=0.01)
    norm.weight.data, norm.bias.data = torch.randn(channels), torch.randn(channels)
    norm.running_mean, norm.running_var = torch.randn(channels), torch.rand(channels) + 0.5
    return norm


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", ["convolution", "dense"])
def test_the_kernel_and_bias_of_a_linear_map_compute_what_layer_and_normalisation_compute(shape, bias):
    torch.manual_seed(1)
    if shape == "dense":
        net = nn.Sequential(nn.Flatten(), nn.Linear(108, 5, bias=bias), normalisation(nn.BatchNorm1d, 5), nn.ReLU())
        apply = functional.linear
    else:
        net = nn.Sequential(nn.Conv2d(3, 5, 3, bias=bias), normalisation(nn.BatchNorm2d, 5), nn.ReLU())
        apply = functional.conv2d
    (linear,) = linear_maps(wrapped(net.eval()))
    x = torch.rand(4, 3, 6, 6)
    read = x.flatten(1) if shape == "dense" else x
    got = apply(read, torch.from_numpy(linear.kernel), torch.from_numpy(linear.bias))
    np.testing.assert_allclose(got.numpy(), net[:-1](x).detach().numpy(), rtol=1e-4, atol=1e-4)
    assert linear.rectified
    assert (linear.gain < 0).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_channel_that_is_constant_but_for_rounding_hides_no_normalisation(dtype):
    """Its weights are 0 and its mean almost, as in trained networks: what it shows of its gain is rounding."""
    net = nn.Sequential(nn.Conv2d(3, 5, 3, bias=False), normalisation(nn.BatchNorm2d, 5), nn.ReLU())
    net[0].weight.data[2], net[1].running_mean[2], net[1].running_var[2] = 0.0, torch.finfo(dtype).eps, 0.0
    (linear,) = linear_maps(wrapped(net.eval().to(dtype)))
    want = net[1].weight / torch.sqrt(net[1].running_var + net[1].eps)
    np.testing.assert_allclose(linear.gain, want.detach().numpy(), rtol=1e-4)


def test_a_normalisation_that_another_layer_reads_past_is_no_part_of_the_layer_before():
    class Past(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 4, 1), normalisation(nn.BatchNorm2d, 4)

        def forward(self, x):
            x = self.conv(x)
            return (self.norm(x) + x).mean((2, 3))

    (linear,) = linear_maps(wrapped(Past()))
    assert linear.gain is None
    assert linear.end == "conv"


def test_a_normalisation_by_the_image_own_statistics_is_no_gain():
    (linear,) = linear_maps(wrapped(nn.Sequential(nn.Conv2d(3, 4, 1), nn.InstanceNorm2d(4, affine=True), nn.ReLU())))
    assert linear.gain is None
