"""The default layer belongs to the chosen output: a network with two heads, the second one with layers of its own."""

import crosslens
import numpy as np
import pytest
import torch
from crosslens.errors import LayerError
from crosslens.introspection.default_layer import last_maps
from crosslens.model import INPUT, OUTPUT
from torch import nn


class TwoHeads(nn.Module):
    """Trunk, then head 0 from the trunk's maps and head 1 from maps of its own."""

    def __init__(self):
        super().__init__()
        self.trunk, self.act = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True)
        self.first, self.second = nn.Conv2d(4, 5, 3, padding=1), nn.Conv2d(4, 6, 3, padding=1)
        self.fc = nn.Linear(6, 7)

    def forward(self, x):
        maps = self.act(self.trunk(x))
        return self.first(maps).mean((2, 3)), self.fc(torch.tanh(self.second(maps)).mean((2, 3)))


def two_heads():
    torch.manual_seed(0)
    return TwoHeads().eval()


def wrapped(kind, output):
    net = two_heads()
    if kind == "program":
        net = torch.export.export(net, (torch.zeros(2, 3, 8, 8),))
    return crosslens.wrap(net, input_shape=(3, 8, 8), preprocess="unit", output=output)


@pytest.mark.parametrize("kind", ["module", "program"])
def test_the_last_maps_are_those_before_the_chosen_output(kind):
    for output, layer in ((0, "first"), (1, "/tanh")):
        model = wrapped(kind, output)
        assert last_maps(model) == layer
        assert not model.upstream([OUTPUT]) & {"first" if output else "second", *(() if output else ("fc",))}
        result = crosslens.method("grad_cam", rectified=False)(
            model, np.random.default_rng(0).random((2, 3, 8, 8), np.float32), target=2
        )
        assert np.ptp(result.values) > 0


def test_for_a_layer_inside_they_end_before_it():
    model = wrapped("module", 1)
    assert last_maps(model, ["second"]) == "act"
    assert model.upstream(["second"]) == {INPUT, "trunk", "act", "second"} - {INPUT}
    with pytest.raises(LayerError, match=r"no layer with maps .* comes before <input>; name a layer"):
        last_maps(model, [INPUT])


def test_asking_leaves_no_trace_in_the_network():
    net = two_heads().train()
    model = crosslens.wrap(net, input_shape=(3, 8, 8), preprocess="unit", output=0)
    with torch.inference_mode():
        assert last_maps(model) == "first"
    assert net.training
    assert all(p.grad is None and p.requires_grad for p in net.parameters())


class Probable(nn.Module):
    """A sum of two ways, then logits, then a softmax: a module, or the last child of one."""

    def __init__(self, head):
        super().__init__()
        self.a, self.b, self.fc, self.head = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Linear(4, 5), head
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        y = self.act(self.a(x))
        y += self.b(x)
        return self.head(self.fc(y.mean((2, 3))))


def test_reads_are_the_nearest_layers_upstream():
    model = crosslens.wrap(Probable(nn.Softmax(dim=1)).eval(), input_shape=(3, 8, 8), preprocess="unit")
    assert model.reads("head") == ("fc",)
    assert set(model.upstream(["fc"])) >= {"fc", "act", "a", "b"}
    assert (model.reads("act"), model.reads("a"), model.reads("b")) == (("a",), (INPUT,), (INPUT,))
    assert model.reads(INPUT) == ()


def test_a_tensor_with_several_names_is_read_name_by_name():
    """The softmax is what its Sequential returns, and what the network returns."""
    head = nn.Sequential(nn.Linear(5, 5), nn.Softmax(dim=1))
    model = crosslens.wrap(Probable(head).eval(), input_shape=(3, 8, 8), preprocess="unit")
    assert [model.reads(name) for name in (OUTPUT, "head", "head.1")] == [("head",), ("head.1",), ("head.0",)]
