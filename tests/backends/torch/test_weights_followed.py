"""Results follow a module's weights, and their digest and a note say so, however the weights changed."""

import re

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import ModelError
from torch import nn
from torch.nn.utils import prune

X = np.random.default_rng(0).random((1, 3, 24, 24), dtype=np.float32)
METHODS = {"gradient": {}, "grad_cam": {"layer": "conv1"}}
OCCLUSION = crosslens.method("occlusion", window=3, stride=2)
"""So many windows that a recorded graph is run."""


class Net(nn.Module):
    """Convolutions, a normalisation, and a scale that belongs to no layer."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.bn, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3)
        self.scale, self.fc = nn.Parameter(torch.ones(8, 1, 1)), nn.Linear(8, 5)

    def forward(self, x):
        x = torch.tanh(self.bn(self.conv1(x))) * self.scale
        return self.fc(torch.tanh(self.conv2(x)).mean((2, 3)))


def wrapped(net):
    return crosslens.wrap(net, preprocess=None, input_shape=(3, 24, 24))


def results(model):
    return [crosslens.method(name, **parameters)(model, X, 1) for name, parameters in METHODS.items()]


def trained(net):
    net.train()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
    net(torch.from_numpy(X).repeat(2, 1, 1, 1)).square().sum().backward()
    optimiser.step()
    net.eval()


def one_value_of_data(net):
    net.conv2.weight.data[3, 1, 2, 0] += 3


def other_data(net):
    net.conv1.weight.data = net.conv1.weight.data.flip(0)


def loaded(net):
    net.load_state_dict({name: value * 1.5 for name, value in net.state_dict().items()})


def loaded_and_assigned(net):
    net.load_state_dict({name: value * 1.5 for name, value in net.state_dict().items()}, assign=True)


def statistics(net):
    net.bn.running_mean.add_(0.5)


def another_parameter(net):
    net.fc.weight = nn.Parameter(net.fc.weight.detach() * 2)


def own_parameter(net):
    net.scale.data.mul_(2)


def pruned(net):
    prune.l1_unstructured(net.conv2, "weight", 0.5)


CHANGES = [
    trained, one_value_of_data, other_data, loaded, loaded_and_assigned, statistics, another_parameter, own_parameter,
    pruned,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_result_is_that_of_the_weights_as_they_are_and_says_that_they_changed(change):
    net = Net().eval()
    model = wrapped(net)
    first = results(model)
    assert not any("weights" in note for result in (*first, *results(model)) for note in result.notes)
    change(net)
    for got, expected, earlier in zip(results(model), results(wrapped(net)), first, strict=True):
        np.testing.assert_allclose(got.values, expected.values, rtol=1e-4, atol=1e-6)
        assert not np.allclose(got.values, earlier.values, rtol=1e-3, atol=1e-9)
        assert got.provenance["model"] == expected.provenance["model"] != earlier.provenance["model"]
        assert [note for note in got.notes if "the weights changed since" in note]
        assert not [note for note in expected.notes if "weights changed" in note]


@pytest.mark.parametrize("change", [one_value_of_data, another_parameter], ids=lambda change: change.__name__)
def test_a_recorded_graph_follows_the_weights(change):
    net = Net().eval()
    model = wrapped(net)
    earlier = OCCLUSION(model, X, 1)
    assert any("_graphs" in name for name in vars(model)), "no graph was recorded"
    change(net)
    got = OCCLUSION(model, X, 1)
    change(fresh := Net().eval())
    np.testing.assert_allclose(got.values, OCCLUSION(wrapped(fresh), X, 1).values, rtol=1e-4, atol=1e-6)
    assert not np.allclose(got.values, earlier.values, rtol=1e-3, atol=1e-9)
    net.bn = nn.Identity()
    with pytest.raises(ModelError, match="wrap it again"):
        OCCLUSION(model, X, 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.requires_grad_(False),
        lambda net: net.train(),
        lambda net: net.to(memory_format=torch.channels_last),
        lambda net: net.load_state_dict(net.state_dict()),
        lambda net: net(torch.from_numpy(X)),
    ],
)
def test_what_leaves_the_weights_as_they_are_changes_neither_digest_nor_notes(change):
    net = Net().eval()
    model = wrapped(net)
    before = model.digest
    change(net)
    result = crosslens.method("gradient")(model, X, 1)
    assert (model.digest, result.provenance["model"]) == (before, before)
    assert not [note for note in result.notes if "weights changed" in note]


def test_weights_that_come_back_have_their_digest_back_and_no_note():
    net = Net().eval()
    model = wrapped(net)
    before, state = model.digest, {name: value.clone() for name, value in net.state_dict().items()}
    trained(net)
    assert model.digest != before
    net.load_state_dict(state)
    result = crosslens.method("gradient")(model, X, 1)
    assert result.provenance["model"] == before
    assert not [note for note in result.notes if "weights changed" in note]


class Added(nn.Module):
    """A layer with a low-rank matrix beside it, as LoRA adds one."""

    def __init__(self, base):
        super().__init__()
        self.base, self.low = base, nn.Linear(8, 5, bias=False)

    def forward(self, x):
        return self.base(x) + self.low(x)


def with_added(net):
    net.fc = Added(net.fc)


def with_another_activation(net):
    net.bn = nn.Identity()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (with_added, "'fc' is another module now (Added)"),
        (with_another_activation, "'bn' is another module now (Identity)"),
    ],
)
@pytest.mark.parametrize("method", METHODS)
def test_other_modules_are_refused_with_what_to_do(change, name, method):
    net = Net().eval()
    model = wrapped(net)
    explain = crosslens.method(method, **METHODS[method])
    explain(model, X, 1)
    change(net)
    with pytest.raises(ModelError, match=re.escape(f"modules changed since crosslens.wrap: {name}; wrap it again")):
        explain(model, X, 1)
    explain(wrapped(net), X, 1)


def test_other_types_of_weights_are_refused_with_what_to_do():
    net = Net().eval()
    model = wrapped(net)
    net.double()
    with pytest.raises(
        ModelError, match=r"weights are now torch.float64 on cpu, .* torch.float32 on cpu; wrap it again"
    ):
        model.forward(X)


def test_what_was_measured_with_earlier_weights_is_measured_anew():
    """A head of zeros hides what its layers do; the default layer is that of a network wrapped after the training."""
    net = Net().eval()
    with torch.no_grad():
        net.fc.weight.zero_()
        net.conv2.weight.zero_()
    model = wrapped(net)
    crosslens.method("grad_cam")(model, X, 1)
    nn.init.normal_(net.fc.weight)
    nn.init.normal_(net.conv2.weight)
    got, expected = (crosslens.method("grad_cam")(each, X, 1) for each in (model, wrapped(net)))
    assert got.provenance["layers"] == expected.provenance["layers"]
    assert model.output == wrapped(net).output
