"""Parameters and operations: torch's own counter, and the same figures for the same network in every framework."""

import crosslens
import pytest
import torch
from crosslens.explorer.network.cost import Costs, total_flops, total_parameters
from crosslens.testing import TinyModel, tiny
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from tests.core.explorer.network import networks


def flops_by_torch(net, size=16):
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        net(torch.zeros(1, 3, size, size))
    return counter.get_total_flops()


def flops_of_products(model):
    """Of what torch counts: kernels and products of activations."""
    costs, kinds = Costs.of(model), ("matmul", "scaled", "attention")
    names = [
        name
        for name, layer in model.layers.items()
        if "kernel" in (model.weights(name) if name != "<input>" else {}) or layer.kind.lower().startswith(kinds)
    ]
    return sum(costs.flops[name] for name in names)


@pytest.mark.parametrize("build", [networks.mobile, networks.Odd])
def test_kernels_and_products_are_as_torch_counts_them(build):
    net = build().eval()
    model = networks.wrapped(net)
    assert flops_of_products(model) == flops_by_torch(net)
    assert total_parameters(model) == sum(p.numel() for p in net.parameters())
    assert None not in Costs.of(model).flops.values()


def test_attention_is_too():
    net = networks.Attention().eval()
    softmax = 2 * 16 * 16  # heads and pairs of tokens: what an attention takes besides
    assert flops_of_products(networks.wrapped(net)) == flops_by_torch(net) + softmax


def test_weights_of_an_attention_that_shows_nothing_of_its_inside_are_its_own_and_dropout_takes_nothing():
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    for weights in blocks.parameters():  # copies of one layer begin with equal ones, which would count as shared
        nn.init.normal_(weights)
    net = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.Flatten(2), networks.Turned(), blocks).eval()
    costs = Costs.of(networks.wrapped(net))
    for n, block in enumerate(blocks.layers):
        own = sum(p.numel() for p in block.self_attn.parameters())
        assert costs.parameters[f"3.layers.{n}.self_attn/attention"] == own == 1088
        assert costs.parameters_of(name for name in costs.parameters if name.startswith(f"3.layers.{n}")) == sum(
            p.numel() for p in block.parameters()
        )
    assert costs.all_parameters == sum(p.numel() for p in net.parameters())
    assert {costs.flops[name] for name in costs.flops if "dropout" in name} == {0}


@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecations
def test_the_same_network_has_the_same_figures_in_every_framework(tmp_path):
    net = networks.mobile()
    torch_model, keras_model = networks.wrapped(net), crosslens.wrap(networks.mobile_keras(), preprocess="none")
    onnx = networks.exported(net, tmp_path / "net.onnx", training=torch.onnx.TrainingMode.PRESERVE)
    folded = networks.exported(net, tmp_path / "folded.onnx")
    kernels = flops_of_products(torch_model)
    assert kernels == flops_of_products(keras_model)
    assert total_flops(torch_model) == total_flops(keras_model) == total_flops(onnx)
    assert total_parameters(torch_model) == total_parameters(keras_model) == total_parameters(onnx)
    # with normalisations folded into kernels, a scale and an offset are one bias, and take no operations
    units = sum(m.num_features for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    assert total_parameters(folded) == total_parameters(torch_model) - units
    norms = [n for n, layer in torch_model.layers.items() if layer.kind == "BatchNorm2d"]
    assert total_flops(folded) == total_flops(torch_model) - Costs.of(torch_model).flops_of(norms)


def test_a_bias_that_keras_shows_inside_of_a_layer_takes_nothing():
    ours = networks.wrapped(networks.plain())
    keras = Costs.of(crosslens.wrap(networks.plain_keras(), preprocess="none"))
    expected = Costs.of(ours).flops
    for name in ("conv_a", "conv_b", "depthwise", "hidden", "out"):
        assert keras.flops[name] == expected[name] > 0
        assert keras.flops[f"{name}/add"] == keras.parameters[f"{name}/add"] == 0
    assert keras.all_parameters == total_parameters(ours)


def test_shared_weights_count_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
            self.b.weight = self.a.weight
            for conv in (self.a, self.b, self.c):
                nn.init.zeros_(conv.bias)

        def forward(self, x):
            return self.c(self.c(self.b(self.a(x))))

    net = Tied().eval()
    assert total_parameters(networks.wrapped(net)) == sum(p.numel() for p in net.parameters())


def test_lite0_takes_about_as_many_multiply_adds_as_published():
    """407M, with 4.7M parameters (https://github.com/tensorflow/tpu, models/official/efficientnet/lite)."""
    model = crosslens.wrap("demo:lite0_onnx")
    assert total_flops(model) / 2 == pytest.approx(407e6, rel=0.06)
    assert total_parameters(model) == pytest.approx(4.7e6, rel=0.02)


def test_where_a_layer_cannot_be_told_the_total_is_none(monkeypatch):
    """Of TinyModel 3 x 3 kernels at 64 positions, two activation functions, a mean and a dense layer are counted."""
    assert total_flops(TinyModel()) == 2 * 64 * (4 * 27 + 6 * 36) + 64 * (4 + 6) + 6 * 64 + 2 * 6 * 5
    monkeypatch.setitem(tiny._KINDS, "pool", "LSTM")
    model = TinyModel()
    assert Costs.of(model).flops["pool"] is None
    assert total_flops(model) is None
