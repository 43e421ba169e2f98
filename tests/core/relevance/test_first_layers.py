"""Which layers read the image: a rule for first layers reads pixels, or what lays pixels out, and nothing else."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError
from crosslens.relevance import linear_maps
from torch import nn
from torch.nn import functional

IMAGES = np.random.default_rng(5).random((2, 3, 8, 8), dtype=np.float32)


class HiddenMap(nn.Module):
    """Its first linear map is a running sum, which shows no kernel; a dense layer is the first that shows one."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.Linear(192, 4)

    def forward(self, x):
        return self.head(functional.relu(x.cumsum(2) - 2 * x.flip(3).cumsum(3)).flatten(1))


def relevance(net, **settings):
    model = crosslens.wrap(net, preprocess=None, input_shape=IMAGES.shape[1:])
    return crosslens.method("lrp", **({"per_channel": True} | settings))(model, IMAGES, target=1)


def test_a_linear_map_without_a_kernel_keeps_its_gradient():
    """Without a stabiliser relevance of a network of rectifiers is gradient times input (Ancona et al. 2018)."""
    net, image = HiddenMap(), torch.tensor(IMAGES, requires_grad=True)
    net(image)[:, 1].sum().backward()
    got = relevance(net, composite="epsilon", epsilon=0.0)
    want = (image * image.grad).detach().numpy()
    np.testing.assert_allclose(np.asarray(got.values), want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_a_rule_for_first_layers_is_not_that_of_a_layer_behind_another_linear_map():
    got, want = (relevance(HiddenMap(), composite=name) for name in ("epsilon_plus_flat", "epsilon_plus"))
    np.testing.assert_array_equal(np.asarray(got.values), np.asarray(want.values))
    with pytest.raises(LayerError, match="'head' reads other layers; none does here; give 'head' for example z_plus"):
        relevance(HiddenMap(), rules=("head=flat",))


class Stems(nn.Module):
    """Two convolutions and nothing else read the image, which comes to each in its own way."""

    def __init__(self, *, skip=False, normalised=False):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.skip, self.normalised, self.head = skip, normalised, nn.Linear(3 * 64, 4)

    def forward(self, x):
        of_a = torch.relu(self.a((x - 0.25) / 0.25 if self.normalised else x))
        return self.head((of_a + (x if self.skip else torch.relu(self.b(x)))).flatten(1))


def flat(relevance):
    """The flat rule of a convolution with a border: each output's relevance in equal parts to the inputs it sees."""
    relevance, kernel = torch.tensor(np.asarray(relevance)), torch.ones(3, 3, 3, 3)
    seen = functional.conv2d(torch.ones(1, 3, 8, 8), kernel, padding=1)
    return functional.conv_transpose2d(relevance / seen, kernel, padding=1).numpy()


def by_gradient(net, way):
    """Gradient times input of one way through a network of rectifiers."""
    image = torch.tensor(IMAGES, requires_grad=True)
    net.head(way(image).flatten(1))[:, 1].sum().backward()
    return (image * image.grad).detach().numpy()


def assert_close(got, want):
    np.testing.assert_allclose(np.asarray(got.values), want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_first_layers_that_read_the_image_in_different_ways_have_their_rules_apart():
    net = Stems(normalised=True)
    of_a, of_b = (relevance(net, epsilon=0.0, layer=name).values for name in "ab")
    assert_close(relevance(net, epsilon=0.0), flat(of_a) + flat(of_b))


def test_a_way_around_the_first_layer_is_beside_its_rule():
    net = Stems(skip=True)
    want = flat(relevance(net, epsilon=0.0, layer="a").values) + by_gradient(net, lambda x: x)
    assert_close(relevance(net, epsilon=0.0), want)
    assert abs(np.asarray(relevance(net, epsilon=0.0).figures()["gap"])).max() <= 1e-5


def test_a_first_layer_of_another_rule_is_beside_it():
    net = Stems()
    want = flat(relevance(net, epsilon=0.0, layer="a").values) + by_gradient(net, lambda x: torch.relu(net.b(x)))
    assert_close(relevance(net, epsilon=0.0, rules=("b=epsilon",)), want)


@pytest.mark.parametrize(
    "net", [nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), nn.ReLU()), Stems()]
)
def test_one_way_to_the_image_is_gone_once(net):
    maps = linear_maps(crosslens.wrap(net.eval(), preprocess=None, input_shape=IMAGES.shape[1:]))
    assert all(each.is_only_way for each in maps)


class Same(nn.Conv2d):
    """Puts its border around x itself, as convolutions do whose border depends on the size."""

    def forward(self, x):
        return super().forward(functional.pad(x, (1, 1, 1, 1)))


def test_a_border_that_a_convolution_puts_within_itself_is_a_border():
    nets = [
        nn.Sequential(kind, nn.ReLU(), nn.Flatten(), nn.Linear(128, 4))
        for kind in (Same(3, 2, 3), nn.Conv2d(3, 2, 3, padding=1))
    ]
    nets[1].load_state_dict(nets[0].state_dict())
    got, want = (relevance(net) for net in nets)
    assert_close(got, np.asarray(want.values))
    assert abs(np.asarray(got.figures()["gap"])).max() <= 1e-5
