"""Relevance through what networks are made of: normalisations, branches, reused modules, preprocessing inside."""

import crosslens
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

IMAGES = np.random.default_rng(5).random((2, 3, 8, 8), dtype=np.float32)
MEAN, STD = torch.tensor([0.4, 0.5, 0.3])[:, None, None], torch.tensor([0.25, 0.5, 0.4])[:, None, None]
COMPOSITES = (
    "epsilon",
    "epsilon_plus",
    "epsilon_plus_flat",
    "epsilon_alpha2_beta1",
    "epsilon_alpha2_beta1_flat",
    "epsilon_gamma_box",
)


def relevance(net, images=IMAGES, target=1, preprocess=None, bounds=None, **settings):
    model = crosslens.wrap(net, preprocess=preprocess, input_shape=images.shape[1:], bounds=bounds)
    settings = {"epsilon": 1e-3, "per_channel": True} | settings
    return crosslens.method("lrp", **settings)(model, images, target=target)


def values(net, *given, **settings):
    return np.asarray(relevance(net, *given, **settings).values)


def assert_close(got, want, tolerance=1e-4):
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.abs(want).max())


def normalisation(kind, channels, *, dead=None):
    """With statistics, half its scales negative."""
    norm, numbers = kind(channels), torch.Generator().manual_seed(channels)
    norm.running_mean = torch.randn(channels, generator=numbers) / 3
    norm.running_var = torch.rand(channels, generator=numbers) + 0.5
    norm.weight.data = (torch.rand(channels, generator=numbers) + 0.5) * torch.tensor([1.0, -1.0]).repeat(channels)[
        :channels
    ]
    norm.bias.data = torch.randn(channels, generator=numbers) / 3
    if dead is not None:
        norm.weight.data[dead] = 0.0
    return norm


def normalised(dead=None):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), normalisation(nn.BatchNorm2d, 6, dead=dead), nn.ReLU(),
        nn.Conv2d(6, 6, 3, padding=1, groups=2, bias=False), normalisation(nn.BatchNorm2d, 6), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(96, 8), normalisation(nn.BatchNorm1d, 8), nn.ReLU(), nn.Linear(8, 4),
    ).eval()  # fmt: skip


def folded(net):
    """The same network, each normalisation multiplied into the layer before it by hand."""
    layers = []
    for layer in net:
        if not isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layers.append(layer)
            continue
        gain = layer.weight.data / torch.sqrt(layer.running_var + layer.eps)
        old, bias = layers[-1], layers[-1].bias
        if isinstance(old, nn.Linear):
            new = nn.Linear(old.in_features, old.out_features)
        else:
            new = nn.Conv2d(old.in_channels, old.out_channels, 3, padding=1, groups=old.groups)
        new.weight.data = old.weight.data * gain.reshape(-1, *[1] * (old.weight.ndim - 1))
        new.bias.data = ((bias.data if bias is not None else 0) - layer.running_mean) * gain + layer.bias.data
        layers[-1] = new
    return nn.Sequential(*layers).eval()


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_normalisation_counts_as_if_it_were_multiplied_into_the_layer_before(composite):
    net = normalised()
    got, want = (relevance(each, composite=composite) for each in (net, folded(net)))
    assert_close(got.values, np.asarray(want.values))
    assert_close(got.absorbed, np.asarray(want.absorbed))


@pytest.mark.parametrize("composite", ["epsilon_plus", "epsilon_alpha2_beta1", "epsilon_gamma_box"])
def test_a_channel_with_a_scale_of_zero_passes_no_relevance_on(composite):
    net = normalised(dead=2)
    assert_close(values(net, composite=composite), values(folded(net), composite=composite))


def test_through_a_layer_with_a_kernel_means_its_normalisation_too():
    net = normalised()
    want = relevance(folded(net), composite="epsilon_plus", through=("2:1,4",))
    for name in ("3", "4"):
        got = relevance(net, composite="epsilon_plus", through=(f"{name}:1,4",))
        assert_close(got.values, np.asarray(want.values))
        assert_close(got.start, np.asarray(want.start))


def test_relevance_of_a_layer_with_a_kernel_is_that_of_its_normalisation():
    net = normalised()
    assert_close(
        values(net, composite="epsilon_plus", layer="3"), values(folded(net), composite="epsilon_plus", layer="2")
    )


class Branches(nn.Module):
    """A residual, a concatenation, functional rectifiers, one convolution used twice, one used in-place sum."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.stem, self.left, self.right = (
            nn.Conv2d(3, 4, 3, padding=1),
            nn.Conv2d(4, 4, 3, padding=1),
            nn.Conv2d(4, 4, 1),
        )
        self.norm, self.twice = normalisation(nn.BatchNorm2d, 4), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def stages(self, x):
        yield (x := functional.relu(self.stem(x)))
        y = self.norm(self.left(x))
        y += x
        y = functional.relu_(y)
        yield (x := torch.cat([y, torch.relu(self.right(x))], dim=1))
        yield (x := functional.relu(self.twice(x)))
        yield (x := functional.relu(self.twice(functional.max_pool2d(x, 2))))
        yield self.head(functional.adaptive_avg_pool2d(x, 1).flatten(1))

    def forward(self, x):
        return list(self.stages(x))[-1]


class Unrolled(Branches):
    """The same, with a copy of the convolution for its second use, its normalisation by hand, nothing in place."""

    def __init__(self):
        super().__init__()
        self.again = nn.Conv2d(8, 8, 3, padding=1)
        self.again.load_state_dict(self.twice.state_dict())
        self.sum = nn.Conv2d(4, 4, 3, padding=1)
        fused = folded(nn.Sequential(self.left, self.norm))[0]
        self.sum.load_state_dict(fused.state_dict())

    def forward(self, x):
        x = functional.relu(self.stem(x))
        x = torch.cat([torch.relu(self.sum(x) + x), torch.relu(self.right(x))], dim=1)
        x = functional.relu(self.twice(x))
        x = functional.relu(self.again(functional.max_pool2d(x, 2)))
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("composite", COMPOSITES)
def test_relevance_is_the_map_what_biases_took_and_what_the_stabiliser_took(composite):
    figures = relevance(Branches().eval(), composite=composite).figures()
    size = np.abs(figures["start"]) + np.abs(figures["biases"]) + np.abs(figures["stabiliser"])
    assert (np.abs(figures["gap"]) < 1e-4 * size).all(), figures


@pytest.mark.parametrize("composite", COMPOSITES)
def test_a_module_that_runs_twice_has_its_rule_twice(composite):
    assert_close(values(Branches().eval(), composite=composite), values(Unrolled().eval(), composite=composite))


def first_layers():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3)).eval()


class Inside(nn.Module):
    """A network with what comes before it, a function of the image."""

    def __init__(self, before, net):
        super().__init__()
        self.before, self.net = before, net

    def forward(self, x):
        return self.net(self.before(x))


def batch_norm():
    norm = nn.BatchNorm2d(3, eps=0.0)
    norm.running_mean, norm.running_var = MEAN.flatten(), STD.flatten() ** 2
    return norm


SAME = {
    "function": lambda x: (x - MEAN) / STD,
    "product": lambda x: x * (1 / STD) - MEAN / STD,
    "normalisation": batch_norm(),
    "reversed twice": lambda x: ((x.flip(1) - MEAN.flip(0)) / STD.flip(0)).flip(1),
}
FIRST = ("flat", "w_square", "box", "z_plus", "epsilon", "gamma:0.5", "alpha_beta:2:1")


@pytest.mark.parametrize("rule", FIRST)
@pytest.mark.parametrize("before", SAME)
def test_a_pixel_has_one_relevance_wherever_its_normalisation_happens(before, rule):
    net = first_layers()
    text = "mean=0.4/0.5/0.3,std=0.25/0.5/0.4"
    want = values(net, preprocess=text, rules=(f"0={rule}",))
    inside = values(Inside(SAME[before], net).eval(), rules=(f"net.0={rule}",))
    assert_close(inside, want)
    if rule != "box":  # which would be that of other images
        given = ((torch.from_numpy(IMAGES) - MEAN) / STD).numpy()
        assert_close(values(net, given, bounds=(-2, 3), rules=(f"0={rule}",)), want)


@pytest.mark.parametrize("rule", FIRST)
def test_channels_that_the_network_turns_round_keep_their_relevance(rule):
    net = first_layers()
    want = values(net, IMAGES[:, ::-1].copy(), rules=(f"0={rule}",))[:, ::-1]
    assert_close(values(Inside(lambda x: x.flip(1), net).eval(), rules=(f"net.0={rule}",)), want)
    assert_close(values(net, preprocess="order=BGR", rules=(f"0={rule}",)), want)


@pytest.mark.parametrize("rule", FIRST)
def test_a_border_of_zeros_is_a_border_whoever_adds_it(rule):
    net = first_layers()
    padded = nn.Sequential(nn.ZeroPad2d(1), nn.Conv2d(3, 4, 3), *net[1:]).eval()
    padded[1].load_state_dict(net[0].state_dict())
    assert_close(values(padded, rules=(f"1={rule}",)), values(net, rules=(f"0={rule}",)))


@pytest.mark.parametrize("rule", ["flat", "w_square"])
def test_relevance_of_a_border_that_repeats_pixels_is_theirs(rule):
    """A border by reflection, relevance of both copies added up: what the adjoint of the padding gives."""
    net = first_layers()
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), *net[1:]).eval()
    bare[0].load_state_dict(net[0].state_dict())
    wide = functional.pad(torch.from_numpy(IMAGES), (1, 1, 1, 1), mode="reflect")
    at_border = torch.from_numpy(values(bare, wide.numpy(), rules=(f"0={rule}",)))
    image = torch.from_numpy(IMAGES).requires_grad_()
    functional.pad(image, (1, 1, 1, 1), mode="reflect").backward(at_border)
    reflected = nn.Sequential(nn.ReflectionPad2d(1), *bare).eval()
    assert_close(values(reflected, rules=(f"1={rule}",)), image.grad.numpy())


class Parts(nn.Module):
    """Two convolutions that read some channels each, normalised before."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.a, self.b, self.head = nn.Conv2d(2, 4, 3), nn.Conv2d(1, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        x = (x - 0.5) / 0.25
        return self.head(torch.relu(self.a(x[:, :2]) + self.b(x[:, 2:])).mean((2, 3)))


class Tokens(nn.Module):
    """A dense layer on the rows of the picture."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.dense, self.head = nn.Linear(24, 6), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(torch.relu(self.dense(x.transpose(1, 2).flatten(2))).mean(1))


class Enlarged(nn.Module):
    """A transposed convolution with its normalisation."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(6)
        self.conv, self.up = nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ConvTranspose2d(4, 4, 2, 2)
        self.norm, self.head = normalisation(nn.BatchNorm2d, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(torch.relu(self.norm(self.up(torch.relu(self.conv(x))))).mean((2, 3)))


@pytest.mark.parametrize("composite", COMPOSITES)
@pytest.mark.parametrize("kind", [Parts, Tokens, Enlarged])
def test_first_layers_of_every_shape_have_their_rule_and_close_the_accounts(kind, composite):
    figures = relevance(kind().eval(), composite=composite).figures()
    size = np.abs(figures["start"]) + np.abs(figures["biases"]) + np.abs(figures["stabiliser"])
    assert (np.abs(figures["gap"]) < 1e-4 * size).all(), figures


class Pools(nn.Module):
    """Two convolutions that each read another pooling of the image."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.a, self.b, self.head = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x):
        a, b = self.a(functional.avg_pool2d(x, 2)), self.b(functional.max_pool2d(x, 2))
        return self.head(torch.relu(a + b).mean((2, 3)))


@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1_flat"])
def test_first_layers_that_read_several_others_give_pixels_the_sum(composite):
    net = Pools().eval()
    given = ((torch.from_numpy(IMAGES) - MEAN) / STD).numpy()
    want = relevance(net, given, bounds=(-2, 3), composite=composite)
    got = relevance(Inside(SAME["function"], net).eval(), composite=composite)
    assert_close(got.values, np.asarray(want.values))
    total = np.asarray(got.values).sum(axis=(1, 2, 3)) + np.asarray(got.absorbed).sum(axis=1)
    np.testing.assert_allclose(total, got.start, rtol=0, atol=1e-4 * np.abs(got.absorbed).max())


@pytest.mark.parametrize("before", SAME)
@pytest.mark.parametrize("composite", ["epsilon", "epsilon_plus_flat"])
def test_a_normalisation_before_the_first_layer_takes_nothing(before, composite):
    figures = relevance(Inside(SAME[before], first_layers()).eval(), composite=composite).figures()
    np.testing.assert_allclose(figures["gap"], 0, atol=1e-4 * np.abs(figures["sum"]).max())
