"""Which layers get pages where none is named: the same places in every framework, the first and the last among them."""

import crosslens
import pytest
import torch
from crosslens.explorer.network.chapters import default_layers
from crosslens.testing import TinyModel
from torch import nn

from tests.core.explorer.network import networks

ENDS = ["relu0", "blocks.0.bn2", "blocks.1", "blocks.2", "blocks.3.bn2", "blocks.4", "blocks.5", "fc"]


def test_the_ends_of_blocks_in_torch_and_keras():
    for model in (networks.wrapped(networks.mobile()), crosslens.wrap(networks.mobile_keras(), preprocess="none")):
        assert list(default_layers(model, count=10)) == ENDS


@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecations
def test_they_are_the_same_tensors_in_a_file_with_the_exporter_s_names(tmp_path):
    net, images = networks.mobile(), networks.images()
    model, onnx = networks.wrapped(net), networks.exported(net, tmp_path / "net.onnx")
    first, second = (default_layers(each, count=10) for each in (model, onnx))
    assert len(first) == len(second) == len(ENDS)
    values, others = model.forward(images[:1], first), onnx.forward(images[:1], second)
    for name, other in zip(first, second, strict=True):
        torch.testing.assert_close(torch.tensor(values[name]), torch.tensor(others[other]), rtol=1e-3, atol=1e-4)


def test_the_demo_has_the_same_places_in_torch_and_onnx():
    places = [default_layers(crosslens.wrap(f"demo:lite0_{backend}")) for backend in ("onnx", "torch")]
    assert places[0] == places[1]
    assert len(places[0]) == 16
    assert {"relu0", "blocks.0.bn2", "blocks.14", "blocks.15.bn2", "relu1", "fc"} <= set(places[0])


def test_of_a_plain_network_each_rectified_layer():
    convolutions = [
        layer for n in range(3) for layer in (nn.Conv2d(3 if n == 0 else 4, 4, 3), nn.ReLU(), nn.MaxPool2d(2))
    ]
    vgg = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(4 * 36, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3))
    assert default_layers(networks.wrapped(vgg.eval(), 64)) == ("1", "4", "7", "11", "13")
    assert default_layers(networks.wrapped(vgg.eval(), 64), count=2) == ("1", "7")
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 3))
    assert default_layers(networks.wrapped(mlp.eval(), 8)) == ("2", "3")
    assert default_layers(TinyModel()) == ("act1", "act2", "fc")


def test_of_a_transformer_the_tokens_between_its_blocks():
    tokens = default_layers(networks.wrapped(networks.Attention().eval()), count=4)
    assert tokens[0] == "patch"
    assert tokens[-1] == "head"
    assert {"/add", "/add#2"} & set(tokens)


def test_without_names_an_even_choice_at_each_scale():
    layers = [nn.Conv2d(3, 4, 1), nn.ReLU()]
    for n in range(24):
        layers += [nn.Conv2d(4, 4, 3, 1 + (n % 8 == 7), 1), nn.ReLU()]
    model = networks.wrapped(nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval(), 32)
    chosen = default_layers(model, count=10)
    assert len(chosen) == 10
    assert chosen[0] == "1"
    sizes = [model.layers[name].shape[2:] for name in chosen if len(model.layers[name].shape) > 2]
    assert {sizes.count(size) for size in set(sizes)} <= {1, 2, 3}
    assert len(set(sizes)) == 4
